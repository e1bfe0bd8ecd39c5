"""Folders that the kernel watches for us (inotify; imported late, as other systems do not have it)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inotify_simple import INotify  # type: ignore[import-untyped]


def kernel() -> INotify:
    """A new instance, which is never waited for; `ImportError` or `OSError` where none is to be had."""
    from inotify_simple import INotify

    return INotify(nonblocking=True)


def watch(told: INotify, path: str | Path) -> int:
    """Have `told` of all that is made, removed, renamed or written in the folder `path`, which is no symlink."""
    from inotify_simple import flags

    mask = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.MODIFY | flags.ONLYDIR
    number: int = told.add_watch(os.fspath(path), mask | flags.DONT_FOLLOW)
    return number


def identity(path: str | Path) -> tuple[int, int] | None:
    """Which file is at `path` now; None where there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
