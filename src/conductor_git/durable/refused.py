"""The refusals of what could not be written, and of a lock that did not come free."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Final, TypeGuard

from conductor_git.errors import LockTimeout, StateUnwritable

_NO_DIRECTORY: Final = frozenset({errno.ENOTDIR, errno.EEXIST})
_OF_THE_SYSTEM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOTDIR, errno.EACCES, errno.EPERM})


def is_of_the_system(error: Exception) -> TypeGuard[OSError]:
    """Whether `error` is no bug of ours: the disk is full, not ours to write, or not laid out as it has to be."""
    return isinstance(error, OSError) and error.errno in _OF_THE_SYSTEM


def unwritable(path: Path, error: OSError) -> StateUnwritable:
    """The refusal for an `OSError` that hit a write to `path`, or a look into what should be a directory."""
    if error.errno in _NO_DIRECTORY and (other := _no_directory(path)) is not None:
        words, hint = f"{other} is no directory, and one has to be there", f"ls -ld {quote(str(other))}"
        return StateUnwritable(words, hint=hint, path=str(other), errno=error.errno)
    place = next((parent for parent in path.parents if parent.is_dir()), path.parent)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StateUnwritable(
        f"{path} could not be written: {error.strerror or error}",
        hint=f"df -h {quote(str(place))}" if full else f"ls -ld {quote(str(place))}",
        path=str(path),
        errno=error.errno,
    )


def _no_directory(path: Path) -> Path | None:
    """What stands in the way to `path`, or in its place, and is no directory."""
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), path)
    return None if there.is_dir() else there


def still_locked(path: Path, seconds: float, holder: str) -> LockTimeout:
    """The refusal once `path` was waited for; `holder` is "" where nobody knows who has it."""
    return LockTimeout(
        f"{path} was still locked after {seconds:g} s" + (f", by {holder}" if holder else ""),
        hint=f"lsof {quote(str(path))}",
        path=str(path),
        seconds=seconds,
        holder=holder,
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
