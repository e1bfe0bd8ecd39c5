"""Holes in files: the disk of a part is freed while somebody goes on writing at the end. Linux has them."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PUNCH_HOLE_KEEP_SIZE: Final = 0x02 | 0x01
"""`FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE` of fallocate(2)."""


def punch(path: Path, start: int, length: int) -> None:
    """Free the disk of `length` bytes from `start`; they read as NUL. `OSError` where that is not possible."""
    libc = ctypes.CDLL(None, use_errno=True)
    fallocate = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if fallocate is None:
        raise OSError(f"no holes can be made on this system, in {path}")
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    fd = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if fallocate(fd, _PUNCH_HOLE_KEEP_SIZE, start, length):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(fd)


def parts(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of the first `size` bytes that hold data, from start to end; the whole where holes are unknown."""
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
            end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        except AttributeError:
            yield at, size
            return
        except OSError:
            return  # a hole up to the end
        if start < size:
            yield start, end
        at = end
