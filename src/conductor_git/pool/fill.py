"""Filling the pool: worktrees are made, brought to the target's tip, and given the caches of what has landed.

One process does it at a time, in the background (`workflow.refill`). What it makes is on record before it is there, so
the next one clears away what a kill left of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from shlex import quote

from conductor_git import durable, worktree
from conductor_git.errors import ConductorError, GitFailed, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.ground.files import Files
from conductor_git.layout import Layout
from conductor_git.names import CommitId
from conductor_git.pool.caches import move_caches
from conductor_git.pool.entry import (
    Entry,
    State,
    clear_made,
    clear_taken,
    discard,
    drop,
    drop_folder,
    entries,
    is_passed_over,
    write,
)
from conductor_git.pool.place import may_be_removed, new_name
from conductor_git.pool.take import is_as_made, looks, settings
from conductor_git.processtable import standing_in

Keep = Callable[[Entry], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the pool is to hold. `place` says where the worktree of a name that stands for a task goes."""

    size: int
    commit: CommitId
    files: Files
    place: Callable[[str], Path]
    prepare: Callable[[Path, Path], str]
    """Brings what a worktree has beside the commit (its path, its git dir); the digest of the setup that it ran."""
    keep: Keep
    """Keeps what somebody wrote into a worktree of the pool, where nobody is to work; a refusal leaves it there."""
    include: Path | None = None
    """The list of ignored files that each task gets anew, and none from the task before."""


def needs_care(layout: Layout, size: int) -> bool:
    """Whether a refill would find something to do, by the records, and by what spawns found beside them."""
    if size == 0 and not layout.pool.is_dir():
        return False
    others = any(entries(layout, state) for state in (State.MAKING, State.TAKEN, State.USED))
    return others or is_passed_over(layout) or len(entries(layout, State.READY)) != size


def fill(git: Git, integration: Git, layout: Layout, wanted: Wanted) -> None:
    """Bring the pool to what `wanted` says. Call it with the pool's lock held.

    `GitFailed` where git cannot make a worktree; what it made of that one is removed, and the others stay.
    """
    clear_made(layout)
    clear_taken(layout)
    _drop_unfit(layout, wanted)
    for entry in entries(layout, State.READY):
        if entry.commit != wanted.commit and _is_nobodys(layout, entry, wanted.keep):
            _bring_forward(git, layout, entry, wanted)
    while len(entries(layout, State.READY)) < wanted.size:
        if _given_up(layout, wanted).exists():
            raise _has_submodules(wanted)
        _make(git, layout, wanted)
    for used in entries(layout, State.USED):
        with suppress(OSError):  # what can be written by nobody is nobody's cache
            _warm_one(git, integration, layout, wanted, used)
        discard(layout, used, State.USED)


def empty(layout: Layout, keep: Keep) -> None:
    """Remove every worktree of the pool. Call it with the pool's lock held; what a person locked or works in stays."""
    clear_made(layout)
    clear_taken(layout)
    for state in (State.READY, State.USED):
        with durable.lock(layout.worktree_lock, seconds=60, purpose="empty the pool"):
            for entry in entries(layout, state):
                if state is State.USED or _is_nobodys(layout, entry, keep):
                    discard(layout, entry, state)


def _is_nobodys(layout: Layout, entry: Entry, keep: Keep) -> bool:
    """Whether nobody works in a ready worktree; what somebody left in it is kept."""
    path = Path(entry.path)
    if standing_in(path):
        return False
    if may_be_removed(layout, entry.name, path) and worktree.registered_git_dir(layout, path) is not None:
        try:
            keep(entry)
        except ConductorError:
            return False
    return True


def _drop_unfit(layout: Layout, wanted: Wanted) -> None:
    """Remove what cannot be taken any more, and what is more than there should be: the oldest commits first."""
    with durable.lock(layout.worktree_lock, seconds=60, purpose="look through the pool"):
        ready = sorted(entries(layout, State.READY), key=lambda one: (one.commit != wanted.commit, not one.warm))
        fit = [entry for entry in ready if entry.made_by == repr(wanted.files) and is_as_made(layout, entry)]
        for entry in ready:
            if entry not in fit[: wanted.size] and _is_nobodys(layout, entry, wanted.keep):
                discard(layout, entry, State.READY)


def _claimed(layout: Layout, entry: Entry) -> bool:
    """Take a ready entry out of the reach of spawns; False where one was faster."""
    with durable.lock(layout.worktree_lock, seconds=60, purpose="work in the pool"):
        if entry not in entries(layout, State.READY):
            return False
        write(layout, entry, State.MAKING)
        drop(layout, entry, State.READY)
    return True


def _bring_forward(git: Git, layout: Layout, entry: Entry, wanted: Wanted) -> None:
    if _claimed(layout, entry):
        how = ("reset", "--hard", "--quiet", "--no-recurse-submodules")
        _inside(git, entry).run(*how, wanted.commit, extra=wanted.files.environment)
        set_up = wanted.prepare(Path(entry.path), Path(entry.git_dir))
        _is_ready(git, layout, replace(entry, commit=wanted.commit, set_up=set_up))


def _make(git: Git, layout: Layout, wanted: Wanted) -> None:
    name = new_name()
    path = wanted.place(f".{name}")
    if os.path.lexists(path):
        raise UnsafePath(f"{path} is there already", hint=f"ls -la {quote(str(path))}", path=str(path))
    entry = Entry(name, str(path), wanted.commit, made_by=repr(wanted.files))
    write(layout, entry, State.MAKING)
    try:
        worktree.add_detached(git, layout, path, commit=wanted.commit, files=wanted.files)
        git_dir = worktree.registered_git_dir(layout, path)
        if git_dir is None:
            raise GitFailed(f"git made no worktree at {path}", hint="git worktree list")
        if (git_dir / "modules").exists():
            durable.write_through(_given_up(layout, wanted), b"")
            raise _has_submodules(wanted)
        set_up = wanted.prepare(path, git_dir)
        _is_ready(git, layout, replace(entry, git_dir=str(git_dir), set_up=set_up))
    except ConductorError:
        discard(layout, entry, State.MAKING)
        raise


def _given_up(layout: Layout, wanted: Wanted) -> Path:
    """There once a worktree of these files got submodules: each next one would be made, cloned into, and dropped."""
    what = sha256(f"{wanted.commit} {wanted.files!r}".encode("utf-8", "surrogateescape")).hexdigest()
    return layout.pool / f"modules-{what[:16]}"


def _has_submodules(wanted: Wanted) -> GitFailed:
    return GitFailed(
        f"{wanted.commit} has submodules, and their git dirs cannot be moved: nothing can lie ready of it",
        hint="git submodule status",
    )


def _is_ready(git: Git, layout: Layout, entry: Entry) -> None:
    git_dir = Path(entry.git_dir)
    index, directories = looks(git, Path(entry.path), git_dir)
    done = replace(entry, index=index, directories=directories, settings=settings(layout, git_dir))
    write(layout, done, State.READY)
    drop(layout, entry, State.MAKING)


def _inside(git: Git, entry: Entry) -> Git:
    return replace(git, cwd=Path(entry.path), git_dir=None, transports=True)


def _warm_one(git: Git, integration: Git, layout: Layout, wanted: Wanted, used: Entry) -> None:
    """Give the caches of a landed task to an entry that has none; where each has some, they go with the rest."""
    if not may_be_removed(layout, used.name, Path(used.path)):
        return
    for entry in entries(layout, State.READY):
        if not entry.warm and _claimed(layout, entry):
            moved = move_caches(integration, Path(used.path), Path(entry.path), Path(entry.git_dir), wanted.include)
            _is_ready(git, layout, replace(entry, warm=moved > 0))
            return


def retire(layout: Layout, path: Path, git_dir: Path, place: Callable[[str], Path], look: Callable[[], None]) -> bool:
    """Put the worktree of a landed task by for its caches; False where it has to be removed the ordinary way.

    What is to be kept of it has been salvaged; `look`, right before it goes, raises where something came since. Its
    registration, with all that a worker can have written there, is removed; a kill in between leaves a registration
    without files, as a worktree that was deleted by hand.
    """
    if any((git_dir / name).exists() for name in ("locked", "modules")) or not (path / ".git").is_file():
        return False
    name = new_name()
    there = place(f".{name}")
    look()
    with durable.lock(layout.worktree_lock, seconds=60, purpose="put a landed worktree by"):
        used = Entry(name, str(there))
        write(layout, used, State.USED)
        durable.make_directory(there.parent)
        try:
            durable.move(path, there)
        except OSError:
            drop(layout, used, State.USED)
            drop_folder(there)
            return False
    worktree.drop_registration(layout, path)
    return True
