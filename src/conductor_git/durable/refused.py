"""The refusal of what could not be written."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conductor_git.errors import StateUnwritable


def unwritable(path: Path, error: OSError) -> StateUnwritable:
    """The refusal for an `OSError` that hit a write to `path`."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return StateUnwritable(
        f"{path} could not be written: {error.strerror or error}",
        hint=f"df -h {path.parent}" if full else f"ls -ld {path.parent}",
        path=str(path),
        errno=error.errno,
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error
