"""A kind of leftover: how such things are found, why they may go, and how one is removed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import directories
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project

IN_USE: Final = "a command is at work on it"
_BLOCK: Final = 512


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing that may go. `why` says why that is safe, `back` is the command that brings it back, empty where
    nothing does; `commit` is what a ref of it is at. `size` is what it takes of the disk, in bytes."""

    kind: str
    name: str
    why: str
    since: datetime
    path: Path | None = None
    commit: CommitId | None = None
    task_id: TaskId | None = None
    size: int = 0
    back: str = ""


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
    """`find` reads only. `remove` looks again before it removes, and returns why the thing is still there, "" where it
    is gone. `keep` names the retention that it goes by."""

    name: str
    noun: str
    find: Callable[[Project, Since], Found]
    remove: Callable[[Project, Leftover, datetime], str]
    keep: str = "salvage"


def size_of(path: Path) -> int:
    """The bytes of the disk that `path` takes with all below it: what is linked twice counts once, no link is followed.

    What goes while it is counted counts nothing.
    """
    seen: set[tuple[int, int]] = set()
    total = 0
    for status in directories.statuses((path, *directories.below(path))):
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * _BLOCK
    return total
