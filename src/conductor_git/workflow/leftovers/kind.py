"""A kind of leftover: how such things are found, why they may go, and how one is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that may go. `why` says why it is safe; `commit` brings it back for as long as git has it."""

    kind: str
    name: str
    why: str
    since: datetime
    path: Path | None = None
    commit: CommitId | None = None
    task_id: TaskId | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that is old enough to go, and stays."""

    kind: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    leftovers: tuple[Leftover, ...] = ()
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Since:
    """`now`, and the moment before which what nobody needs may go."""

    now: datetime
    before: datetime


@dataclass(frozen=True, slots=True)
class Kind:
    """`find` reads only. `remove` looks again before it removes, and returns whether the thing is gone."""

    name: str
    noun: str
    find: Callable[[Project, Since], Found]
    remove: Callable[[Project, Leftover], bool]
