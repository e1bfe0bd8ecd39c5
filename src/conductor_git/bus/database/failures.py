"""What SQLite's errors mean for a bus, in the words and classes that every backend uses."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import durable
from conductor_git.bus.halt import Halt
from conductor_git.errors import BusDamaged, ConductorError, StateUnwritable

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_NO_WRITE: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN)
_FLUSH: Final = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)
_WRITER: Final = 120
"""The byte of the shared memory file that whoever writes has locked (sqlite.org/walformat.html)."""


def is_busy(error: sqlite3.Error) -> bool:
    return _primary(error) in _BUSY


def is_refused(error: sqlite3.Error) -> bool:
    """Whether the file system did not let us make or write a file."""
    return _primary(error) in _NO_WRITE


def refusal(error: sqlite3.Error, path: Path, seconds: float, halt: Halt | None) -> Exception:
    """What to raise for `error`; `halt` is that of the bus if it was being written to.

    A flush that failed halts it; after any other error nothing counts that was not there before.
    """
    primary = _primary(error)
    if primary is None:
        return error  # a mistake of ours and nothing that SQLite met
    if primary in _BUSY:
        return durable.still_locked(path, seconds, _holder(path))
    if halt is not None:
        if error.sqlite_errorcode in _FLUSH:
            return halt.flush_failed(OSError(errno.EIO, _said(error)))
        if primary in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) or primary in _NO_WRITE:
            return _unwritable(path, error)
    if primary == sqlite3.SQLITE_NOTADB:
        return BusDamaged(f"{path} is no SQLite database", hint=f"ls -l {quote(str(path))}", path=str(path))
    return BusDamaged(f"{path} could not be used: {_said(error)}", hint="conductor-git bus verify", path=str(path))


def _primary(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _said(error: sqlite3.Error) -> str:
    return f"{error} ({error.sqlite_errorname})"


def _unwritable(path: Path, error: sqlite3.Error) -> ConductorError:
    full = _primary(error) == sqlite3.SQLITE_FULL
    return StateUnwritable(
        f"{path} could not be written: {_said(error)}",
        hint=f"df -h {quote(str(path.parent))}" if full else f"ls -ld {quote(str(path.parent))} {quote(str(path))}",
        path=str(path),
    )


def _holder(path: Path) -> str:
    """Who writes to the database by the kernel's list of locks (Linux); empty where it cannot be known."""
    try:
        known = os.lstat(f"{path}-shm")
        name = f"{os.major(known.st_dev):02x}:{os.minor(known.st_dev):02x}:{known.st_ino}"
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, access, pid, file, first, last = line.replace("-> ", "").split()
            if (kind, access, file) == ("POSIX", "WRITE", name) and int(first) <= _WRITER <= int(last):
                return durable.process_said(pid)
    except (OSError, ValueError):
        pass
    return ""
