"""Locks, flushes and whole-file writes: the only place that calls flock, fsync and rename on state.

Every effect names what a crash can leave. A failed flush is reported and never retried: after one, the kernel may
have dropped the pages and a second call would return success for data that is gone.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from conductor_git.errors import LockTimeout, StateUnwritable, TooLarge, UnsafePath

_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW
_YIELDS: Final = 200
_FIRST_WAIT: Final = 0.0001
_LONGEST_WAIT: Final = 0.004
_BUSY: Final = (errno.EAGAIN, errno.EACCES)
_FICLONE: Final = 0x40049409
_temporary: Final = count()


@contextmanager
def lock(path: Path, *, seconds: float = 10, purpose: str = "") -> Iterator[int]:
    """Hold the exclusive lock of the side file `path`, or raise `LockTimeout` after `seconds`.

    Yields the descriptor: a child that inherits it keeps the lock until it ends too, which is why leaving the block
    closes the descriptor and does not unlock it. The kernel frees the lock when its last holder ends, however it
    ends. The file is never removed, and what it says about its holder serves error messages only.
    """
    fd = _open_lock(path)
    try:
        _wait(lambda: _locked(fd), seconds, lambda: _timeout(path, seconds, _said_holder(fd)))
        _say_holder(fd, purpose)
        yield fd
    finally:
        os.close(fd)


@contextmanager
def try_lock(path: Path) -> Iterator[int | None]:
    """As `lock`, without waiting: yields None where somebody else holds it."""
    fd = _open_lock(path)
    try:
        if taken := _locked(fd):
            _say_holder(fd, "")
        yield fd if taken else None
    finally:
        os.close(fd)


def is_locked(path: Path) -> bool:
    """Whether somebody holds the exclusive lock of `path`. Looking makes no file, and lookers see no other lookers."""
    try:
        fd = os.open(path, os.O_RDONLY | _OPEN)
    except FileNotFoundError:
        return False
    try:
        return not _flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


@contextmanager
def flocked(fd: int, *, seconds: float, path: Path) -> Iterator[None]:
    """Hold the exclusive lock of the open file `fd` itself (`path` names it in errors), then unlock it.

    The same lock that portalocker takes, without its import, which costs more than a whole command may. Two
    descriptors of one process exclude each other if each comes from an `open` of its own.
    """
    _wait(lambda: _flock(fd), seconds, lambda: _timeout(path, seconds, _listed_holder(fd)))
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def replace(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Make `path` hold `data`: a crash leaves the old file or the new one, and the new one once this returned.

    Concurrent callers each replace the whole file, so whoever changes what it read needs a lock around both.
    """
    with _unwritable(path):
        _rename_into(path, data, mode, flush=os.fsync)
        flush_directory(path.parent)


def write_through(path: Path, data: bytes) -> None:
    """As `replace` without any flush, for what can be rebuilt: readers never see a part, a power cut can lose it."""
    with _unwritable(path):
        _rename_into(path, data, 0o644, flush=None)


def count_up(path: Path) -> int:
    """The next number of the counter in the file `path`, from 1; call it with a lock held.

    Written in place and not flushed: the numbers that a power cut takes back are of processes that are gone too.
    """
    with _unwritable(path):
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
    for leftover in path.parent.glob(".*.tmp"):
        # Exactly what `_rename_into` makes: `a` must not take the temporary files of `a.json` for its own.
        writer = leftover.name.removeprefix(start).removesuffix(".tmp")
        if leftover.name.startswith(start) and writer.replace("-", "", 1).isdigit():
            leftover.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Make `path` and its missing parents; each new directory is durable in its parent when this returns."""
    with _unwritable(path):
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
    with _unwritable(path):
        os.rename(path, new)
        flush_directory(path.parent)


def move(path: Path, new: Path) -> None:
    """Rename `path` to `new` on the same file system, not flushed; `OSError` where that cannot be."""
    os.rename(path, new)


def remove(path: Path) -> None:
    """Remove the file `path` if it is there; durably gone when this returns."""
    with _unwritable(path):
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
        raise TooLarge(f"{path} has more than {limit} bytes", hint=f"ls -l {path}", path=str(path), limit=limit)
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
def _unwritable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def _not_regular(path: Path) -> UnsafePath:
    return UnsafePath(f"{path} is not a regular file", hint=f"ls -ld {path}", path=str(path))


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


def _open_lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | _OPEN
    with _unwritable(path):
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o600)


def _locked(fd: int) -> bool:
    import portalocker

    try:
        portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    return True


def _flock(fd: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def _wait(take: Callable[[], bool], seconds: float, late: Callable[[], LockTimeout]) -> None:
    """Call `take` until it is true; the waits are short because our holders are, and a holder's end sends no word."""
    if take():
        return
    end, wait = time.monotonic() + seconds, _FIRST_WAIT
    for _ in range(_YIELDS):
        os.sched_yield()
        if take():
            return
    while not take():
        if (left := end - time.monotonic()) <= 0:
            raise late()
        time.sleep(min(wait, left))
        wait = min(wait * 2, _LONGEST_WAIT)


def _timeout(path: Path, seconds: float, holder: str) -> LockTimeout:
    return LockTimeout(
        f"{path} was still locked after {seconds:g} s" + (f", by {holder}" if holder else ""),
        hint=f"lsof {path}",
        path=str(path),
        seconds=seconds,
        holder=holder,
    )


def _say_holder(fd: int, purpose: str) -> None:
    import json

    said = {"pid": os.getpid(), "purpose": purpose, "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    # A full disk must not cost the lock: the text is for people.
    with suppress(OSError):
        text = json.dumps(said).encode() + b"\n"
        # In this order: a file that was cut to nothing is brought to the disk by ext4 when it is closed.
        os.pwrite(fd, text, 0)
        os.ftruncate(fd, len(text))


def _said_holder(fd: int) -> str:
    import json

    try:
        said = json.loads(os.pread(fd, 4096, 0).partition(b"\n")[0])
        return f"process {said['pid']} ({said['purpose'] or 'no purpose told'}, since {said['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def process_said(pid: str) -> str:
    """A process by its pid and the beginning of its command, on one line (Linux); `OSError` where it is gone."""
    command = Path(f"/proc/{pid}/cmdline").read_bytes()[:200].replace(b"\0", b" ").decode("utf-8", "replace")
    return f"process {pid} ({' '.join(command.split())})"


def _listed_holder(fd: int) -> str:
    """Who holds the flock of `fd`'s file by the kernel's list (Linux); empty where it cannot be known."""
    try:
        known = os.fstat(fd)
        name = f"{os.major(known.st_dev):02x}:{os.minor(known.st_dev):02x}:{known.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == name:
                return process_said(fields[4])
    except (OSError, IndexError):
        pass
    return ""
