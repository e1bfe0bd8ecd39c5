"""What an adapter is: the one place that knows how one agent is found, called and understood (no I/O)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Kind(StrEnum):
    """What an agent says in one event of its stream."""

    TEXT = "text"
    TOOL = "tool"
    """It uses a tool; the text names it and what it is used on."""
    RESULT = "result"
    """Its last word: what `output.md` is made of."""
    USAGE = "usage"
    LIMIT = "limit"
    """Its provider would not serve it."""
    ERROR = "error"
    OTHER = "other"
    """What we do not know; kept, and shown as it came."""


class Limit(StrEnum):
    """Why a provider would not serve."""

    RATE = "rate"
    """Too much at once, or the provider is overloaded: passes by itself."""
    QUOTA = "quota"
    """What was paid for is used up until a time that it may tell."""
    AUTH = "auth"
    """No key, a wrong one, or no money: a person has to see to it."""


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One thing that an agent said. A stream's line can hold several, or none that matters."""

    kind: Kind
    text: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    total: bool = False
    """Whether the figures are of the whole attempt so far, rather than to be added to those before."""
    limit: Limit | None = None
    until: datetime | None = None
    """When the limit is over, where the provider says so."""
    part: bool = False
    """Whether the text is a piece that the next `TEXT` goes on with, rather than a whole."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What an attempt is launched for."""

    prompt: Path
    """The file that holds the prompt: at most 16 MiB, so never an argument."""
    worktree: Path
    output: Path
    """Where the agent may leave its answer, as Markdown; made from its stream where it does not."""
    model: str | None = None
    args: tuple[str, ...] = ()
    permissive: bool = False
    """Whether the config lets it do without asking what it would ask a person for."""
    attended: bool = False
    """Whether a person can join and type: it has a terminal, and its standard input is that."""
    writable: tuple[Path, ...] = ()
    """Where its work writes outside the worktree: git's directories. Only an agent with a sandbox has to be told."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, without a shell. `stdin` is a file for its standard input; None is an empty one, or a terminal."""

    command: tuple[str, ...]
    stdin: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    """To be added to the agent's environment."""


class Adapter(Protocol):
    """How one agent is found, called and understood. Pure: it is handed paths and lines, and starts nothing."""

    @property
    def name(self) -> str: ...

    @property
    def program(self) -> str:
        """The executable that is looked for on PATH, or an absolute path."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """The variables of the environment that hold its provider's key; it gets these and no other provider's."""
        ...

    @property
    def needs_key(self) -> bool:
        """Whether it cannot work without one of `keys`; an agent that people log in to can."""
        ...

    @property
    def edits(self) -> bool:
        """Whether it changes files. One that does not answers, and its answer is all of its work."""
        ...

    @property
    def version_command(self) -> tuple[str, ...]:
        """What prints its version; empty where it has none."""
        ...

    @property
    def oldest(self) -> tuple[int, ...]:
        """The oldest version that understands how we call it; empty where any does."""
        ...

    def launch(self, ask: Ask) -> Launch:
        """How it is called for `ask`."""
        ...

    def events(self, line: str) -> Iterable[AgentEvent]:
        """What one line of its standard output says. Never raises: what it does not know is one `OTHER`."""
        ...
