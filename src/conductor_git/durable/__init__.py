"""Locks, flushes and whole-file writes: the only place that calls flock, fsync and rename on state.

Every effect names what a crash can leave. A failed flush is reported and never retried: after one, the kernel may
have dropped the pages and a second call would return success for data that is gone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import directories
from conductor_git.durable.locks import flocked as flocked
from conductor_git.durable.locks import is_locked as is_locked
from conductor_git.durable.locks import lock as lock
from conductor_git.durable.locks import process_said as process_said
from conductor_git.durable.locks import try_lock as try_lock
from conductor_git.durable.refused import is_of_the_system as is_of_the_system
from conductor_git.durable.refused import still_locked as still_locked
from conductor_git.durable.refused import unwritable as unwritable
from conductor_git.durable.refused import writing
from conductor_git.errors import TooLarge, UnsafePath

_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW
_FICLONE: Final = 0x40049409
_temporary: Final = count()


def replace(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Make `path` hold `data`: a crash leaves the old file or the new one, and the new one once this returned.

    Concurrent callers each replace the whole file, so whoever changes what it read needs a lock around both.
    """
    with writing(path):
        _rename_into(path, data, mode, flush=os.fsync)
        flush_directory(path.parent)


def write_through(path: Path, data: bytes) -> None:
    """As `replace` without any flush, for what can be rebuilt: readers never see a part, a power cut can lose it."""
    with writing(path):
        _rename_into(path, data, 0o644, flush=None)


def count_up(path: Path) -> int:
    """The next number of the counter in the file `path`, from 1; call it with a lock held.

    Written in place and not flushed: the numbers that a power cut takes back are of processes that are gone too.
    """
    with writing(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | _OPEN, 0o600)
        try:
            number = 1 + int(os.pread(fd, 64, 0).strip(b"\0\n") or 0)
            write_all(fd, b"%020d\n" % number)
        finally:
            os.close(fd)
    return number


def drop_temporaries(path: Path) -> None:
    """Remove what a killed `replace` or `write_through` of `path` left beside it.

    Call it with the lock held that guards the writes of `path`: a living writer's file would go too.
    """
    start = f".{path.name}."
    for leftover in directories.matching(path.parent, ".*.tmp"):
        # Exactly what `_rename_into` makes: `a` must not take the temporary files of `a.json` for its own.
        writer = leftover.name.removeprefix(start).removesuffix(".tmp")
        if leftover.name.startswith(start) and writer.replace("-", "", 1).isdigit():
            leftover.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Make `path` and its missing parents; each new directory is durable in its parent when this returns."""
    with writing(path):
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for directory in reversed(missing):
            try:
                directory.mkdir()
            except FileExistsError:
                # A neighbour made it, and its flush may still be under way, so it is flushed here too.
                if not directory.is_dir():
                    raise
            try:
                flush_directory(directory.parent)
            except OSError:
                # Whoever comes next must not find it, and take it for durable.
                with suppress(OSError):
                    directory.rmdir()
                raise


def rename(path: Path, new: Path) -> None:
    """Rename `path` within its directory, durably; a crash leaves the old name or the new one.

    What has the name `new` already would be lost: call it with the lock held under which such names are given.
    """
    with writing(path):
        os.rename(path, new)
        flush_directory(path.parent)


def move(path: Path, new: Path) -> None:
    """Rename `path` to `new` on the same file system, not flushed; `OSError` where that cannot be."""
    os.rename(path, new)


def remove(path: Path) -> None:
    """Remove the file `path` if it is there; durably gone when this returns."""
    with writing(path):
        try:
            path.unlink()
        except FileNotFoundError:
            return
        flush_directory(path.parent)


def flush(fd: int) -> None:
    """Bring the data of `fd` to the disk; an `OSError` is raised as it is and must not be retried."""
    full: int | None = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        # macOS: fsync only reaches the drive's cache.
        fcntl.fcntl(fd, full)
    else:
        os.fdatasync(fd)


def flush_directory(path: Path) -> None:
    """Make the names in the directory `path` durable; an `OSError` is raised as it is."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_filesystem(path: Path) -> None:
    """Bring everything written so far to the file system of `path` to its disk (`sync -f`); errors are `OSError`."""
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(fd)


def read_regular(path: Path, limit: int) -> bytes:
    """The bytes of the regular file `path`, never through a link and never more than `limit` of them.

    `UnsafePath` for a link, directory, pipe or device; `TooLarge` over the limit; other `OSError`s pass through.
    """
    fd = open_regular(path, os.O_RDONLY)
    try:
        data = _read_up_to(fd, limit + 1)
    finally:
        os.close(fd)
    if len(data) > limit:
        raise TooLarge(
            f"{path} has more than {limit} bytes", hint=f"ls -l {quote(str(path))}", path=str(path), limit=limit
        )
    return data


def open_regular(path: Path, flags: int, mode: int = 0o644) -> int:
    """A descriptor of `path`, which must be a regular file and not a link (`UnsafePath`); a pipe never blocks it."""
    try:
        fd = os.open(path, flags | _OPEN | os.O_NONBLOCK, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):
            raise _not_regular(path) from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _not_regular(path)
    return fd


def _not_regular(path: Path) -> UnsafePath:
    return UnsafePath(f"{path} is not a regular file", hint=f"ls -ld {quote(str(path))}", path=str(path))


def _read_up_to(fd: int, size: int) -> bytes:
    parts, left = [], size
    while left > 0 and (part := os.read(fd, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _rename_into(path: Path, data: bytes, mode: int, flush: Callable[[int], None] | None) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{next(_temporary)}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, mode)
        try:
            write_all(fd, data)
            if flush is not None:
                flush(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`; an error can leave a part of it written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def clone(source: int, target: int) -> bool:
    """Let the open file `target` share the blocks of `source` (FICLONE); False where the file system cannot."""
    with suppress(OSError):
        return not fcntl.ioctl(target, _FICLONE, source)
    return False
