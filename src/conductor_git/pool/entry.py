"""What lies in the pool: one record a worktree, whose ending says what state it is in.

A record changes its state by a rename, so it is in one state at every moment, also after a kill: `making` and `taken`
that nobody works on any more are what a kill left, and are cleared away (`clear`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from conductor_git import directories, durable
from conductor_git.errors import ConductorError
from conductor_git.layout import Layout
from conductor_git.names import CommitId
from conductor_git.pool.place import can_be, is_kept, may_be_removed, open_up
from conductor_git.worktree import registrations

_LIMIT: Final = 4 * 1024 * 1024
_PASSED_OVER: Final = "passed-over"


class State(StrEnum):
    """`making`: being written; `ready`: may be taken; `taken`: on its way to a task; `used`: a landed task's files."""

    MAKING = "making"
    READY = "ready"
    TAKEN = "taken"
    USED = "used"


@dataclass(frozen=True, slots=True)
class Entry:
    """One worktree of the pool. What is told beside its place is what it looked like when it was ready."""

    name: str
    path: str
    commit: CommitId | None = None
    git_dir: str = ""
    made_by: str = ""
    """Which files it has of the commit, and how they came: `ground.Files`, as text."""
    settings: tuple[str, ...] = ()
    """The main checkout's own git config and the entry's, which git copies from there."""
    warm: bool = False
    """It has the build caches of a task that landed."""
    set_up: str = ""
    """The digest of the setup that has run in it; empty where it is still to run."""
    index: tuple[int, int] = (0, 0)
    """Time (ns) and size of git's index."""
    directories: Mapping[str, int] = field(default_factory=dict)
    """Directory with tracked files in it → its time of change (ns)."""
    to: str = ""
    """Where a `taken` one is going."""

    def is_set_up(self, commit: CommitId, setup: str) -> bool:
        """Whether the setup of this digest has run on the files of `commit`: of others it may install other things."""
        return bool(setup) and (self.commit, self.set_up) == (commit, setup)


def entries(layout: Layout, state: State) -> tuple[Entry, ...]:
    """The entries in `state`, by name; a record that cannot be read is dropped by `clear`."""
    found = (_read(path) for path in directories.matching(layout.pool, f"*.{state}"))
    return tuple(entry for entry in found if entry is not None)


def is_in_use(layout: Layout) -> bool:
    """Whether there is, or was, a pool: costs one look at the disk where there never was one."""
    return layout.pool.is_dir()


def pass_over(layout: Layout) -> None:
    """Note that a spawn found something in the pool and nothing to take: the records alone do not say so."""
    with suppress(OSError):
        (layout.pool / _PASSED_OVER).touch()


def is_passed_over(layout: Layout) -> bool:
    """Whether a spawn found nothing to take since the pool was looked through."""
    return (layout.pool / _PASSED_OVER).exists()


def write(layout: Layout, entry: Entry, state: State) -> None:
    """Put `entry` on record in `state`, whole; what a power cut takes of it is found by `clear`."""
    durable.make_directory(layout.pool)
    durable.write_through(_record(layout, entry, state), json.dumps(asdict(entry)).encode())


def drop(layout: Layout, entry: Entry, state: State) -> None:
    _record(layout, entry, state).unlink(missing_ok=True)


def discard(layout: Layout, entry: Entry, state: State) -> None:
    """Remove the worktree of `entry`, its registration and, last, its record. Safe to repeat.

    Call it with the lock held that guards the state: the refill's, and for `taken` that of the worktrees. A worktree
    that somebody locked or that a task has stays where it is, and so does its record, as does that of one which could
    not be removed whole. What the pool cannot have made (`place`) is left alone, and its record goes.
    """
    path = Path(entry.path)
    found = registrations(layout.common_dir, path)
    if any(map(is_kept, found)):
        return
    with suppress(OSError):  # the next refill tries again
        for git_dir in found:
            shutil.rmtree(git_dir)
        if may_be_removed(layout, entry.name, path):
            open_up(path)
            shutil.rmtree(path)
            drop_folder(path)
        drop(layout, entry, state)


def drop_folder(path: Path) -> None:
    """Remove the directory above `path` where the template gave each worktree one of its own."""
    if path.parent.name.startswith(".pool-"):
        with suppress(OSError):
            path.parent.rmdir()


def withdraw(layout: Layout, entry: Entry, path: Path) -> None:
    """Remove what `entry` has become at `path`, on its way to a task. Call it with the lock of the worktrees held."""
    for git_dir in registrations(layout.common_dir, path):
        if str(git_dir) == entry.git_dir:
            shutil.rmtree(git_dir)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def clear_taken(layout: Layout) -> None:
    """Clear away what killed spawns left of entries on their way; what had arrived is the journal's to undo.

    Waits for a spawn that is taking one at this moment.
    """
    if not entries(layout, State.TAKEN):
        return
    with durable.lock(layout.worktree_lock, seconds=60, purpose="clear the pool"):
        for entry in entries(layout, State.TAKEN):
            going = () if os.path.lexists(entry.to) else registrations(layout.common_dir, Path(entry.to))
            for git_dir in going:
                if str(git_dir) == entry.git_dir and not is_kept(git_dir):
                    shutil.rmtree(git_dir)
            discard(layout, entry, State.TAKEN)


def clear_made(layout: Layout) -> None:
    """Clear away what a killed refill left. Call it with the refill's lock held."""
    (layout.pool / _PASSED_OVER).unlink(missing_ok=True)
    for record in directories.matching(layout.pool, ".*.tmp"):
        record.unlink(missing_ok=True)
    for entry in entries(layout, State.MAKING):
        discard(layout, entry, State.MAKING)
    for path in directories.matching(layout.pool, "*.*"):
        if path.suffix[1:] in set(State) and _read(path) is None:
            path.unlink(missing_ok=True)


def _record(layout: Layout, entry: Entry, state: State) -> Path:
    return layout.pool / f"{entry.name}.{state}"


def _read(path: Path) -> Entry | None:
    try:
        said = json.loads(durable.read_regular(path, _LIMIT))
        said |= {key: tuple(said[key]) for key in ("index", "settings")}
        entry = Entry(**said)
    except (OSError, ValueError, TypeError, KeyError, ConductorError):
        return None
    if f"{entry.name}.{path.suffix[1:]}" != path.name or not can_be(entry.name, entry.path, entry.commit):
        return None
    return entry
