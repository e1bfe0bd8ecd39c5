"""Everything that conductor-git could have changed in a repository, frozen: to assert that a refusal left no trace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests import kit

_NOT_LOOKED_AT = ("conductor/locks", "conductor/integration.git", "conductor/hooks", "conductor/foresight")
"""Lock files are never removed, and the other three are made anew from what is elsewhere."""


def traces(repository: Path) -> dict[str, object]:
    """The checkout, every file of the git dir (objects by name), every path beside the repository with its bytes.

    Compare with `==`. Directories of the git dir are left out, since git and we make and keep empty ones.
    """
    return {"checkout": kit.snapshot(repository)} | git_dir(repository) | beside(repository)


def git_dir(repository: Path) -> dict[str, object]:
    """The refs, config, registrations, records, bus and journal: files below `.git` with their bytes."""
    top = repository / ".git"
    return {
        name: path.read_bytes()
        for path in sorted(top.rglob("*"))
        if path.is_file() and path.name != "run-info.yaml.lock"
        if not (name := path.relative_to(top).as_posix()).startswith((*_NOT_LOOKED_AT, "objects/"))
    }


def beside(repository: Path) -> dict[str, object]:
    """The worktrees: every path in the directory of the repository that is not the repository itself."""
    others = [path for path in repository.parent.iterdir() if path != repository]
    return {f"../{path.relative_to(repository.parent)}": _content(path) for top in others for path in _below(top)}


def _below(top: Path) -> Iterator[Path]:
    yield top
    for place, directories, files in os.walk(top):
        yield from (Path(place, name) for name in (*directories, *files))


def _content(path: Path) -> object:
    if path.is_symlink():
        return path.readlink()
    return path.read_bytes() if path.is_file() else None
