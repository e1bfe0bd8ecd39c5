"""The refusal of what could not be written."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from conductor_git.errors import StateUnwritable


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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
