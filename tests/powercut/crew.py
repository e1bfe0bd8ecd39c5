"""Several processes that work on a disk and acknowledge to a pipe, until its power is cut in the middle of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Final, NamedTuple

from tests.powercut.disk import Disk
from tests.powercut.worker import READY, REFUSED

_TOP: Final = Path(__file__).parents[2]


class Ack(NamedTuple):
    """A line of a worker, written after the call had returned: no power cut may take from then on what it tells of."""

    worker: str
    kind: str
    at: int
    """The monotonic clock in ns, which is the same one in every process."""
    words: tuple[str, ...]


class End(NamedTuple):
    """How a worker ended, and its last words."""

    worker: str
    code: int
    said: str

    @property
    def is_proper(self) -> bool:
        """Whether one of our errors told the worker that its call had failed."""
        return self.code == REFUSED


class Worked(NamedTuple):
    """What was acknowledged before the cut, and how the workers ended.

    Not what they acknowledged later. A power cut ends all processes at once, but these go on while ext4 is being shut
    down, and meanwhile the kernel says of some flushes that they were done although they were not.
    """

    acks: list[Ack]
    ends: list[End]


Enough = Callable[[Ack], bool]
"""Hears every acknowledgement, and says when it is time to cut the power."""


def after(acks: int) -> Enough:
    """Time once so many calls are acknowledged."""
    left = iter(range(acks - 1, -1, -1))
    return lambda ack: next(left) == 0


def cut_while_working(disk: Disk, module: str, crew: Sequence[Sequence[object]], enough: Enough) -> Worked:
    """Run `python -m module NAME …` for each of `crew`, and cut the power when `enough` was acknowledged.

    The power is back and the workers have ended when this returns.
    """
    with _at_work(module, crew) as (processes, said):
        heard = list(_until(enough, map(_ack, said)))
        cut_at = time.monotonic_ns()
        disk.cut()
        heard += [_ack(line) for line in said]
        ends = [_end(process) for process in processes]
    disk.restore()
    return Worked([ack for ack in heard if ack.at < cut_at], ends)


@contextmanager
def _at_work(module: str, crew: Sequence[Sequence[object]]) -> Iterator[tuple[list[subprocess.Popen[str]], IO[str]]]:
    """The workers and the pipe in which all of them speak, once all are ready and were told to begin."""
    reading, writing = os.pipe()
    processes: list[subprocess.Popen[str]] = []
    with os.fdopen(reading, encoding="utf-8") as said:
        try:
            try:
                processes += (_start(module, arguments, writing) for arguments in crew)
            finally:
                os.close(writing)
            assert [_ack(line).kind for line in islice(said, len(crew))] == [READY] * len(crew)
            for process in processes:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            yield processes, said
        finally:
            for process in processes:
                process.kill()
                process.communicate()


def _until(enough: Enough, acks: Iterator[Ack]) -> Iterator[Ack]:
    for ack in acks:
        yield ack
        if enough(ack):
            return


def _start(module: str, arguments: Sequence[object], writing: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=_TOP,
        stdin=subprocess.PIPE,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ack(line: str) -> Ack:
    worker, kind, at, *words = line.split()
    return Ack(worker, kind, int(at), tuple(words))


def _end(process: subprocess.Popen[str]) -> End:
    said = process.communicate()[1]
    return End(str(process.args[3]), process.returncode, said.strip())  # type: ignore[index]
