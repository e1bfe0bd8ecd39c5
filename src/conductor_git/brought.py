"""What was brought into a worktree and can be had again: the files of an include, and those that a setup made.

Kept as a file in the worktree's git dir, so that it goes where the worktree goes. A removal asks it which ignored files
need no salvage. Whoever writes a wrong one loses its own copies only.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.errors import TooLarge, UnsafePath
from conductor_git.layout import BROUGHT_NAME

_BYTES: Final = 1 << 28


class Mark(NamedTuple):
    """What a file looked like. Its `changed` time is the kernel's own: no copy and no `touch` brings one back."""

    size: int
    modified: int
    changed: int
    inode: int


class Came(NamedTuple):
    """What was noted of a file: what it looked like here, and the size and time of what it was copied from."""

    here: Mark
    origin: tuple[int, int]


def mark(path: Path) -> Mark | None:
    """What the file or symbolic link at `path` looks like now; None where there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode)):
        return None
    return Mark(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def remember(git_dir: Path, root: Path, paths: Iterable[str], *, copied: bool = False) -> None:
    """Note that `paths` of the worktree at `root` are as they came, besides what is noted already.

    With `copied` they are what their originals are now; else the originals that are noted stay so.
    """
    marks = {path: found for path in paths if (found := mark(root / path)) is not None}
    if marks:
        known = _read(git_dir)
        for path, found in marks.items():
            same = (found.size, found.modified)
            known[path] = Came(found, same if copied or path not in known else known[path].origin)
        noted = {path: [*came.here, *came.origin] for path, came in known.items()}
        durable.write_through(git_dir / BROUGHT_NAME, json.dumps(noted).encode())


def unchanged(git_dir: Path, root: Path) -> frozenset[str]:
    """The paths in `root` that are still as they came."""
    return frozenset(path for path, came in _read(git_dir).items() if mark(root / path) == came.here)


def origins(git_dir: Path) -> dict[str, tuple[int, int]]:
    """Path → size and time of modification (ns) of the file that it was copied from, when it was."""
    return {path: came.origin for path, came in _read(git_dir).items()}


def _read(git_dir: Path) -> dict[str, Came]:
    try:
        found: Mapping[str, list[int]] = json.loads(durable.read_regular(git_dir / BROUGHT_NAME, _BYTES))
        return {os.fspath(path): _came(list(map(int, noted))) for path, noted in found.items()}
    except (OSError, ValueError, TypeError, AttributeError, TooLarge, UnsafePath):
        return {}


def _came(noted: list[int]) -> Came:
    """`ValueError` or `TypeError` where it is nothing of ours; where no origin is noted it is as the file was."""
    size, modified = noted[4:] or noted[:2]
    return Came(Mark(*noted[:4]), (size, modified))
