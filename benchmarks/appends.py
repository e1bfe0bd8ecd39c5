"""P1 and P2: durable appends to the bus by ten processes, against the plain algorithm and the bare system calls."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.pairs import Row, measured
from benchmarks.repositories import kept_in
from conductor_git.bus.file import FileBus
from conductor_git.frames.frame import encode
from conductor_git.message import Message, make_msg_id, timestamp

_PROCESSES: Final = 10
_EACH: Final = 100
_SLOW_FLUSH: Final = 0.003
_MESSAGE: Final = Message(
    type="PROGRESS",
    body="Working on the thing, step 5 of 10: the redirect loop is fixed and the tests pass now.",
    project_id="acme",
    task_id="fix-login",
    run_id="20261120-101500123456-4242-1",
    meta={"revision": "7"},
)
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT
_fork: Final = multiprocessing.get_context("fork")

Appending = Callable[[Path], None]


def appends(pairs: int) -> Iterator[Row]:
    work = _PROCESSES * _EACH
    yield measured(
        "P1", "append, 10 processes of 100", lambda: _all(_plain), lambda: _all(_ours), pairs=pairs, goal=1.5, work=work
    )
    with _slow_flushes():
        yield measured(
            "P1",
            "append, 10 processes of 100, a flush takes 3 ms",
            lambda: _all(_plain),
            lambda: _all(_ours),
            pairs=pairs,
            goal=4,
            work=work,
        )
    yield measured(
        "P2", "append, 10 processes of 100", lambda: _all(_bare), lambda: _all(_ours), pairs=pairs, goal=0.6, work=work
    )


def _frame() -> bytes:
    now = time.time_ns()
    return encode(_MESSAGE._replace(msg_id=make_msg_id(now, os.getpid(), 1), ts=timestamp(now)))


def _plain(path: Path) -> None:
    """open, flock, write, fsync, unlock: the flush of each keeps all others waiting."""
    frame = _frame()
    for _ in range(_EACH):
        fd = os.open(path, _FLAGS)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, frame)
        os.fsync(fd)
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def _bare(path: Path) -> None:
    """The system calls that ours makes at the least, with no ids, framing or checks."""
    frame = _frame()
    for _ in range(_EACH):
        fd = os.open(path, _FLAGS)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, frame)
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.fdatasync(fd)
        os.close(fd)


def _ours(path: Path) -> None:
    bus = FileBus(path)
    for _ in range(_EACH):
        bus.append(_MESSAGE)


def _all(append: Appending) -> float:
    """Seconds that ten processes take, from the moment at which all are ready."""
    with tempfile.TemporaryDirectory(dir=kept_in(), prefix="bus-") as scratch:
        path, ready = Path(scratch) / "bus.md", _fork.Barrier(_PROCESSES + 1)

        def work() -> None:
            ready.wait()
            append(path)

        children = [_fork.Process(target=work) for _ in range(_PROCESSES)]
        for child in children:
            child.start()
        ready.wait()
        start = time.perf_counter()
        for child in children:
            child.join()
        return time.perf_counter() - start


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
