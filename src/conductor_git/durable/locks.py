"""Locks: held by an open file, freed by the kernel when its last holder ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from conductor_git.durable.refused import still_locked, writing
from conductor_git.errors import LockTimeout

_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW
_YIELDS: Final = 200
_FIRST_WAIT: Final = 0.0001
_LONGEST_WAIT: Final = 0.004
_BUSY: Final = (errno.EAGAIN, errno.EACCES)


@contextmanager
def lock(path: Path, *, seconds: float = 10, purpose: str = "") -> Iterator[int]:
    """Hold the exclusive lock of the side file `path`, or raise `LockTimeout` after `seconds`.

    Yields the descriptor: a child that inherits it keeps the lock until it ends too, which is why leaving the block
    closes the descriptor and does not unlock it. The kernel frees the lock when its last holder ends, however it
    ends. The file is never removed, and what it says about its holder serves error messages only.
    """
    fd = _open_lock(path)
    try:
        _wait(lambda: _locked(fd), seconds, lambda: still_locked(path, seconds, _said_holder(fd)))
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
    _wait(lambda: _flock(fd), seconds, lambda: still_locked(path, seconds, _listed_holder(fd)))
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _open_lock(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | _OPEN
    with writing(path):
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
