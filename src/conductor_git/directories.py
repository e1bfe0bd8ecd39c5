"""What is in directories in which others are at work: one that goes while we look into it has nothing in it.

`Path.glob` and `Path.rglob` raise for it before Python 3.13, and git removes `worktrees/` and the folders of refs with
the last that was in them. As with them, a directory that we may not read has nothing in it either. Any other error is
one: who asks may be about to remove what nobody else has.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import filter as fitting
from pathlib import Path
from typing import Final

_NOTHING: Final = (FileNotFoundError, NotADirectoryError, PermissionError)


def matching(folder: Path, pattern: str) -> list[Path]:
    """What in `folder` matches `pattern` (as `Path.glob` takes it, without `**`), by name; hidden files too."""
    first, _, rest = pattern.partition("/")
    names = sorted(fitting(_names(folder), first)) if "*" in first else [first]
    found = [folder / name for name in names]
    if rest:
        return [inside for path in found for inside in matching(path, rest)]
    return found if "*" in first else [path for path in found if os.path.lexists(path)]


def below(folder: Path) -> Iterator[Path]:
    """All files and directories below `folder`; no symlink is followed."""
    for place, folders, files in os.walk(folder, onerror=_require_nothing):
        yield from (Path(place, name) for name in (*folders, *files))


def statuses(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    """Of those of them that are there; no symlink is followed."""
    for path in paths:
        try:
            yield os.lstat(path)
        except _NOTHING:
            continue


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names, not paths
    except _NOTHING:
        return []


def _require_nothing(error: OSError) -> None:
    if not isinstance(error, _NOTHING):
        raise error
