"""P5: from an append to its delivery to a follower in another process, against a write to a pipe and its read.

A time begins just before `append` (just before the write to the pipe) and ends when the other process holds the
message; both processes take it from the one monotonic clock. The message is whole and in its place by then, and its
flush may still be under way: a follower sees what is not acknowledged yet. Each message finds its receiver asleep.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Final

from benchmarks.pairs import Row
from benchmarks.repositories import kept_in
from benchmarks.writers import MESSAGE
from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.base import Bus

_EACH: Final = 200
_APART: Final = 0.002
_SETTLING: Final = 0.2
_IDLE: Final = 1.0
_GOALS: Final = ((50, 0.005), (99, 0.025))
_fork: Final = multiprocessing.get_context("fork")

Sending = Callable[[int], object]
Receiving = Callable[[], Iterator[int]]
"""Yields the times that were sent, as they come; runs in a process of its own."""


@dataclass(frozen=True, slots=True)
class _Receiver:
    send: Sending
    process_id: int
    took: Callable[[], float]
    """The seconds from sending to receiving, once it has received."""

    def delays(self) -> Iterator[float]:
        for _ in range(_EACH):
            time.sleep(_APART)
            self.send(time.perf_counter_ns())
            yield self.took()


def following(rounds: int, backends: tuple[str, ...] = ("file", "sqlite")) -> Iterator[Row]:
    """A row for the middle and one for the slow ones, of `rounds` times 200 messages; a goal only for the file bus."""
    for backend in backends:
        with tempfile.TemporaryDirectory(dir=kept_in(), prefix="follow-") as scratch:
            url = f"{backend}:{scratch}/bus"
            with _receiver(*_by_pipe()) as pipe, _receiver(*_by_bus(url)) as follower:
                # In turns, so that what else the machine does falls on both.
                pairs = [(list(pipe.delays()), list(follower.delays())) for _ in range(rounds)]
                idle = _idle(follower.process_id)
        piped, followed = ([delay for pair in pairs for delay in pair[side]] for side in (0, 1))
        yield from _rows(backend, piped, followed, idle)


def _rows(backend: str, piped: list[float], followed: list[float], idle: tuple[int, int] | None) -> Iterator[Row]:
    note, failure = "", ""
    if idle is not None:
        runs, busy = idle
        note = f"idle for {_IDLE:g} s: {runs} times on a core, {busy / 1000:.0f} µs of its time"
        failure = "polls" if runs else ""
    for percent, limit in _GOALS:
        yield Row(
            "P5",
            f"{backend}: append to delivery, p{percent} of {len(followed):,}",
            (quantiles(piped, n=100)[percent - 1],),
            (quantiles(followed, n=100)[percent - 1],),
            limit_seconds=limit if backend == "file" else None,
            note=note,
            failure=failure if backend == "file" else "",
        )


def _by_pipe() -> tuple[Sending, Receiving]:
    read, write = os.pipe()

    def received() -> Iterator[int]:
        while True:
            yield int(os.read(read, 64))

    return lambda sent: os.write(write, b"%d" % sent), received


def _by_bus(url: str) -> tuple[Sending, Receiving]:
    def received() -> Iterator[int]:
        return (int(message.body) for message in _opened(url).follow())

    bus = _opened(url)
    return lambda sent: bus.append(MESSAGE._replace(body=str(sent))), received


def _opened(url: str) -> Bus:
    return open_bus(parse_address(url))


@contextmanager
def _receiver(send: Sending, receiving: Receiving) -> Iterator[_Receiver]:
    ours, theirs = _fork.Pipe(duplex=False)

    def receive() -> None:
        for sent in receiving():
            theirs.send((time.perf_counter_ns() - sent) / 1e9)

    child = _fork.Process(target=receive, daemon=True)
    child.start()
    theirs.close()  # so that a receiver that fails ends the benchmark
    try:
        send(time.perf_counter_ns())  # not counted: it waits for the start of the process
        ours.recv()
        yield _Receiver(send, child.pid or 0, partial(_answer, ours.recv))
    finally:
        child.terminate()
        child.join()


def _answer(receive: Callable[[], object]) -> float:
    seconds = receive()
    assert isinstance(seconds, float)
    return seconds


def _idle(process_id: int) -> tuple[int, int] | None:
    """How often and for how many ns a process was on a core while there was nothing to do; None where nobody counts."""
    time.sleep(_SETTLING)
    before = _scheduled(process_id)
    time.sleep(_IDLE)
    after = _scheduled(process_id)
    if before is None or after is None:
        return None
    return after[0] - before[0], after[1] - before[1]


def _scheduled(process_id: int) -> tuple[int, int] | None:
    try:
        busy, _, runs = Path(f"/proc/{process_id}/schedstat").read_text().split()
    except OSError:
        return None
    return int(runs), int(busy)
