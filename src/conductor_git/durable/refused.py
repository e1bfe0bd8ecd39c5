"""The refusals of what could not be written, and of a lock that did not come free."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from conductor_git.errors import LockTimeout, StateUnwritable


def unwritable(path: Path, error: OSError) -> StateUnwritable:
    """The refusal for an `OSError` that hit a write to `path`."""
    place = next((parent for parent in path.parents if parent.is_dir()), path.parent)
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StateUnwritable(
        f"{path} could not be written: {error.strerror or error}",
        hint=f"df -h {quote(str(place))}" if full else f"ls -ld {quote(str(place))}",
        path=str(path),
        errno=error.errno,
    )


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
