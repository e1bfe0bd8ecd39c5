"""Which directories are the pool's: a record is believed only of what the pool itself would have made.

Whoever can write into the state directory can write a record. So none of them leads to the removal of anything else:
not of a task's worktree, of a repository, of a directory of another name, or of what a symbolic link leads to.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from conductor_git.layout import CANONICAL_CONTEXT_NAME, Layout
from conductor_git.names import CommitId

_NAME: Final = re.compile(r"pool-[0-9a-f]{8}", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


def new_name() -> str:
    """A name that no task has: its worktree's begins with a dot."""
    return f"pool-{os.urandom(4).hex()}"


def can_be(name: str, path: str, commit: CommitId | None) -> bool:
    """Whether the pool would have made a worktree of this name there, at this commit. Nothing is looked at on the disk.

    The config's template can have changed since, so it is not asked; the drawn name is in what it gives.
    """
    return (
        _NAME.fullmatch(name) is not None
        and (commit is None or _COMMIT.fullmatch(commit) is not None)
        and Path(path).is_absolute()
        and os.path.normpath(path) == path
        and _drawn(path, name) is not None
    )


def may_be_removed(layout: Layout, name: str, path: Path) -> bool:
    """Whether the files at `path` are a plain directory of that name, and no repository by itself or around ours."""
    drawn = _drawn(str(path), name)
    if drawn is None or any(part.is_symlink() for part in (path, *path.parents) if part.is_relative_to(drawn)):
        return False
    holds_ours = layout.common_dir.resolve().is_relative_to(path.resolve())
    return path.is_dir() and not (path / ".git").is_dir() and not holds_ours


def open_up(top: Path) -> None:
    """Let us write in every directory at and below `top`; some tools take that away from the caches that they make.

    No link is followed. What is not ours stays as it is.
    """
    _let_us_write(top)
    for directory, folders, _ in os.walk(top):
        for folder in folders:  # before they are looked into
            _let_us_write(Path(directory, folder))


def _let_us_write(directory: Path) -> None:
    with suppress(OSError):
        mode = directory.lstat().st_mode
        if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def is_kept(git_dir: Path) -> bool:
    """Whether a registration is a person's, who locked it, or a task's, whose context is in it."""
    return any(os.path.lexists(git_dir / name) for name in ("locked", CANONICAL_CONTEXT_NAME))


def _drawn(path: str, name: str) -> Path | None:
    """The part of `path` that has the drawn name, and what is above it."""
    whole = Path(path)
    return next((part for part in (whole, *whole.parents) if f".{name}" in part.name), None)
