"""A worker's uncommitted work as a commit that no ref ever holds, with nothing of the worker's touched or obeyed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import directories, durable
from conductor_git.errors import ConductorError
from conductor_git.gitcmd import Git
from conductor_git.integration import looking_at
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.worktree import is_half_removed, under_way, unhidden

LARGEST: Final = 8 * 1024 * 1024
"""Uncommitted files over this size are left out: to read a core dump at every check would cost more than it tells."""

_WHO: Final = "conductor-git <conductor-git@localhost> 0 +0000"
"""One author and one time for all, so that the same files on the same commit are the same commit every time."""


class Work(NamedTuple):
    """The tree of a worktree's files, empty where they could not be looked at; `note` says why, or what is left out."""

    tree: str
    note: str = ""


def registrations(layout: Layout) -> dict[str, Path]:
    """Path of a worktree → its git dir, by what the repository says; a worker's own `.git` is not followed."""
    found: dict[str, Path] = {}
    for entry in directories.matching(layout.common_dir, "worktrees/*"):
        with suppress(OSError):
            place = (entry / "gitdir").read_text("utf-8", "surrogateescape").rstrip("\n")
            found.setdefault(place.removesuffix("/.git"), entry)
    return found


def unreadable(place: Path, git_dir: Path | None, branch_ref: str) -> str:
    """Why the files at `place` do not tell what its branch is about to get; empty where they do."""
    if place.is_symlink() or not place.is_dir():
        return "its worktree is gone"
    if git_dir is None:
        return "its worktree is not registered any more"
    if what := under_way(git_dir):
        return f"{what} is under way in it"
    found = {
        "its worktree is half removed": is_half_removed(git_dir),
        "git is at work in it": (git_dir / "index.lock").exists(),
        "its index is missing": not (git_dir / "index").is_file(),
        "its HEAD is not on its branch": _head(git_dir) != f"ref: {branch_ref}",
    }
    return next((reason for reason, holds in found.items() if holds), "")


def _head(git_dir: Path) -> str:
    try:
        return durable.read_regular(git_dir / "HEAD", 4096).decode("utf-8", "surrogateescape").strip()
    except (OSError, ConductorError):
        return ""


def work(git: Git, layout: Layout, place: Path, git_dir: Path) -> Work:
    """What `git add --all` would stage at `place`, as a tree in the object store of `git`.

    Takes a private copy of the index; ignored files stay out, and so does a repository inside the worktree. Only the
    content filters that `git` is configured with run.
    """
    try:
        with looking_at(git, place, git_dir / "index") as looking:
            return _taken(unhidden(looking), layout, place)
    except (ConductorError, OSError):
        return Work("", "git could not read its worktree")


def _taken(looking: Git, layout: Layout, place: Path) -> Work:
    listed = _listed(looking, layout)
    if len(listed) != len(set(listed)):
        return Work("", "its index holds paths in conflict")
    paths = sorted({entry[2:] for entry in listed if not entry.endswith("/")})
    large = [path for path in paths if _size(place / path) > LARGEST]
    kept = "".join(f"{path}\0" for path in paths if path not in large)
    if kept:
        stdin = kept.encode("utf-8", "surrogateescape")
        looking.run("update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=stdin)
    note = f"left out, over {LARGEST >> 20} MiB: {', '.join(large[:3])}" if large else ""
    return Work(looking.run("write-tree").text, note)


def _listed(looking: Git, layout: Layout) -> Sequence[str]:
    """What differs from the index or is not in it, each after a letter; a path in conflict comes several times."""
    exclude = layout.common_dir / "info" / "exclude"
    own = [f"--exclude-from={exclude}"] if exclude.is_file() else []
    asked = ("--others", "--modified", "--exclude-standard", *own)
    return looking.run("ls-files", "-z", "-t", *asked).fields


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def commits(git: Git, trees: Mapping[TaskId, tuple[str, str]]) -> dict[TaskId, str]:
    """For each task, a commit of the given tree on the given parent; all in one process."""
    if not trees:
        return {}
    assert git.objects is not None
    folder = git.objects.parent / "commits"
    folder.mkdir()
    for number, (tree, parent) in enumerate(trees.values()):
        text = f"tree {tree}\nparent {parent}\nauthor {_WHO}\ncommitter {_WHO}\n\nuncommitted work\n"
        (folder / str(number)).write_text(text)
    listing = os.fsencode("".join(f"{folder / str(number)}\n" for number in range(len(trees))))
    made = git.run("hash-object", "-w", "-t", "commit", "--no-filters", "--stdin-paths", stdin=listing).lines
    return dict(zip(trees, made, strict=True))
