"""P1 and P2: durable appends to the bus by ten processes, against the plain algorithm and the bare system calls."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.flushes import Proof, proof
from benchmarks.pairs import Row, measured
from benchmarks.repositories import kept_in
from benchmarks.writers import EACH, MESSAGE, PROCESSES, Appending, appending, together
from conductor_git.frames.frame import encode
from conductor_git.message import make_msg_id, timestamp

_SLOW_FLUSH: Final = 0.003
_WHAT: Final = f"append, {PROCESSES} processes of {EACH}"
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT


def appends(pairs: int) -> Iterator[Row]:
    seen = proof("file")
    yield _row("P1", _WHAT, _plain, "file", seen, pairs, goal=1.5)
    with _slow_flushes():
        yield _row("P1", f"{_WHAT}, a flush takes 3 ms", _plain, "file", seen, pairs, goal=4)
    yield _row("P1", f"{_WHAT}, sqlite", _plain, "sqlite", proof("sqlite"), pairs)
    yield _row("P2", _WHAT, _bare, "file", seen, pairs, goal=0.6)


def _row(
    number: str,
    what: str,
    yardstick: Appending,
    backend: str,
    seen: Proof | None,
    pairs: int,
    goal: float | None = None,
) -> Row:
    """A row that reaches its goal only with the proof that what it measured was durable."""
    ours, work = appending(backend), PROCESSES * EACH
    row = measured(number, what, lambda: _all(yardstick), lambda: _all(ours), pairs=pairs, goal=goal, work=work)
    if seen is None:
        return replace(row, note="flushes not counted: no strace here")
    return replace(row, note=seen.note, failure="" if seen.is_durable else "not durable")


def _frame() -> bytes:
    now = time.time_ns()
    return encode(MESSAGE._replace(msg_id=make_msg_id(now, os.getpid(), 1), ts=timestamp(now)))


def _plain(path: Path) -> None:
    """open, flock, write, fsync, unlock: the flush of each keeps all others waiting."""
    frame = _frame()
    for _ in range(EACH):
        fd = os.open(path, _FLAGS)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, frame)
        os.fsync(fd)
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def _bare(path: Path) -> None:
    """The system calls that ours makes at the least, with no ids, framing or checks."""
    frame = _frame()
    for _ in range(EACH):
        fd = os.open(path, _FLAGS)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, frame)
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.fdatasync(fd)
        os.close(fd)


def _all(append: Appending) -> float:
    with tempfile.TemporaryDirectory(dir=kept_in(), prefix="bus-") as scratch:
        return together(append, Path(scratch) / "bus.md")


@contextmanager
def _slow_flushes() -> Iterator[None]:
    """Every flush takes 3 ms longer, for both sides alike, as on a disk that has no cache of its own."""
    known = os.fsync, os.fdatasync

    def slowed(flush: Callable[[int], None]) -> Callable[[int], None]:
        def slow(fd: int) -> None:
            time.sleep(_SLOW_FLUSH)
            flush(fd)

        return slow

    os.fsync, os.fdatasync = map(slowed, known)  # type: ignore[assignment]  # what the modules under test look up
    try:
        yield
    finally:
        os.fsync, os.fdatasync = known
