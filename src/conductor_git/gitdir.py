"""Finds git dirs by reading `.git` and `commondir`, for commands that must answer without starting git."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from conductor_git import durable
from conductor_git.errors import TooLarge, UnsafePath


class GitDir(NamedTuple):
    """The git dir of a checkout and the common git dir of its repository, both real paths."""

    path: Path
    common: Path

    @property
    def is_linked(self) -> bool:
        """Belongs to a worktree that `git worktree add` made, not to a main checkout."""
        return self.path != self.common


def common_dir_of(start: Path) -> Path | None:
    """The common git dir of the repository that `start` is in, as git's own discovery finds it, or None.

    Git's variables are not looked at, nor its rule about repositories of other people, and no config is read.
    """
    for directory in upwards(start):
        found = git_dir_at(directory)
        if found is None and _is_git_dir(directory):
            found = _with_common(directory)
        # Like git: a `.git` file that leads nowhere ends the search, an unrelated directory of that name does not.
        if found is not None or (directory / ".git").is_file():
            return None if found is None else found.common
    return None


def git_dir_at(directory: Path) -> GitDir | None:
    """The git dir of the checkout whose top is `directory`, by its `.git`; None where that leads to none."""
    entry = directory / ".git"
    path = entry if entry.is_dir() else _pointed_to(entry)
    return _with_common(path) if path is not None and _is_git_dir(path) else None


def upwards(start: Path) -> Iterator[Path]:
    """The real path of `start` and every directory above it, nearest first."""
    real = Path(os.path.realpath(start))
    yield real
    yield from real.parents


def _pointed_to(entry: Path) -> Path | None:
    label, _, value = line(entry).partition(": ")
    return entry.parent / value if label == "gitdir" and value else None


def _is_git_dir(path: Path) -> bool:
    return os.path.lexists(path / "HEAD") and ((path / "commondir").is_file() or (path / "objects").is_dir())


def _with_common(path: Path) -> GitDir:
    common = path / line(path / "commondir")
    return GitDir(Path(os.path.realpath(path)), Path(os.path.realpath(common)))


def line(path: Path) -> str:
    """The one line of a small file of git's, empty where there is no such file."""
    try:
        return durable.read_regular(path, 16384).decode("utf-8", "surrogateescape").rstrip("\r\n")
    except (OSError, UnsafePath, TooLarge):
        return ""
