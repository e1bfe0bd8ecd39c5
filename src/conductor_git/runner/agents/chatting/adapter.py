"""How the program `chat` is called for a provider, and what it says."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar, Final

from conductor_git.runner.agents import jsonline
from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Launch, Limit
from conductor_git.runner.agents.chatting.provider import Provider

# -P, because without it Python would import modules of the worktree, where a worker may put what it likes.
_PROGRAM: Final = ("-P", "-m", "conductor_git.runner.agents.chat")


class Chatter:
    """An agent that answers into `output.md` and changes no file; its subclass says whom it asks."""

    provider: ClassVar[Provider]

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def program(self) -> str:
        return sys.executable

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.provider.key,)

    @property
    def needs_key(self) -> bool:
        return True

    @property
    def edits(self) -> bool:
        return False

    @property
    def version_command(self) -> tuple[str, ...]:
        """Says why it is not usable where httpx is missing."""
        return (sys.executable, *_PROGRAM, "--version")

    @property
    def oldest(self) -> tuple[int, ...]:
        return ()

    def launch(self, ask: Ask) -> Launch:
        """The prompt on standard input, or by its file where that is a person's terminal."""
        asked = ("--model", ask.model or self.provider.model, "--output", str(ask.output), *ask.args)
        command = (sys.executable, *_PROGRAM, self.name, *asked)
        if ask.attended:
            return Launch((*command, "--prompt", str(ask.prompt)))
        return Launch(command, ask.prompt)

    def events(self, line: str) -> Iterable[AgentEvent]:
        said = jsonline.parsed(line)
        if said is None:
            return [AgentEvent(Kind.OTHER, line)]
        return [_event(said, line)]


def _event(said: Any, line: str) -> AgentEvent:
    text = jsonline.text(said, "text")
    match jsonline.text(said, "type"):
        case "text":
            return AgentEvent(Kind.TEXT, text, part=True)
        case "error":
            return AgentEvent(Kind.ERROR, text)
        case "usage":
            return AgentEvent(
                Kind.USAGE,
                tokens_in=jsonline.count(said, "tokens_in"),
                tokens_out=jsonline.count(said, "tokens_out"),
                cost_usd=jsonline.amount(said, "cost_usd"),
                total=True,
            )
        case "limit" if jsonline.text(said, "limit") in list(Limit):
            limit = Limit(jsonline.text(said, "limit"))
            return AgentEvent(Kind.LIMIT, text, limit=limit, until=_moment(jsonline.text(said, "until")))
    return AgentEvent(Kind.OTHER, line)


def _moment(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else None
