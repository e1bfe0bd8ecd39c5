"""Where a provider is asked from: the program `chat`, started as its adapter says, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor_git.runner.agents.base import AgentEvent, Ask, Kind
from conductor_git.runner.agents.chatting.adapter import Chatter
from tests.agents.chat_server import KEY, ChatServer


@dataclass(frozen=True, slots=True)
class Talk:
    """What came of one question."""

    code: int
    lines: list[dict[str, Any]]
    events: list[AgentEvent]
    complaint: str
    output: Path

    @property
    def answer(self) -> str:
        return self.output.read_text("utf-8")

    def only(self, kind: Kind) -> AgentEvent:
        (found,) = [event for event in self.events if event.kind is kind]
        return found


class Desk:
    """A place to ask from: a worktree, a prompt, and where the answer goes."""

    def __init__(self, place: Path, server: ChatServer) -> None:
        self.worktree = place / "worktree"
        self.worktree.mkdir()
        self.prompt = place / "prompt.md"
        self.prompt.write_text("What do plums cost? Größe €\n", "utf-8")
        self.output = place / "attempt" / "output.md"
        self.output.parent.mkdir()
        self.server = server

    def ask(self, agent: Chatter, *args: str, model: str | None = None, **variables: str) -> Talk:
        with self.asking(agent, *args, model=model, **variables) as running:
            out, err = running.communicate()
        assert KEY.encode() not in out + err
        text = out.decode()
        lines = [json.loads(line) for line in text.splitlines()]
        events = [event for line in text.splitlines() for event in agent.events(line)]
        return Talk(running.returncode, lines, events, err.decode(), self.output)

    @contextmanager
    def asking(
        self, agent: Chatter, *args: str, model: str | None = None, **variables: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The program while it runs; it is gone when the block is left."""
        launch = agent.launch(Ask(self.prompt, self.worktree, self.output, model, args))
        own = {agent.provider.key: KEY, agent.provider.base: self.server.url, "HTTP_PROXY": "http://127.0.0.1:9"}
        assert launch.stdin is not None
        with launch.stdin.open("rb") as prompt:
            running = subprocess.Popen(
                launch.command,
                cwd=self.worktree,
                stdin=prompt,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(os.environ) | own | dict(launch.environment) | variables,
            )
        with running:
            try:
                yield running
            finally:
                running.kill()
