"""P3 and P4: what has come since a cursor, and everything, against one system call and against another parser.

`python -m benchmarks.reading PATH CURSOR` reads a bus from the cursor, and all of it, and prints its peak of memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.histories import History, history
from benchmarks.pairs import Row, measured, timed
from benchmarks.repositories import kept_in
from conductor_git.bus.file import FileBus
from conductor_git.message import message_document

_LAST: Final = 10
_PAIRS_EACH: Final = 60
"""How many pairs of single calls a pair of slower things is worth: a microsecond is measured often, or not at all."""
_TAIL: Final = 64 * 1024
_SMALL: Final = 10_000
_LIMIT_SECONDS: Final = 0.005
_GROWTH: Final = 4 << 20
"""What may part the peaks of two processes: they differ from run to run by about a quarter of it."""
_TOP: Final = Path(__file__).parents[1]


def since(pairs: int, count: int) -> Iterator[Row]:
    """P3: the last ten messages of a long bus, and ten in its middle."""
    with _scratch() as scratch:
        long = history(count, scratch / "bus.md")
        note, failure = _memory(scratch, long)
        last = _since(long, -1 - _LAST, f"the last {_LAST} of {count:,} messages", pairs)
        yield replace(last, goal=20, limit_seconds=_LIMIT_SECONDS, note=note, failure=failure)
        yield _since(long, count // 2, f"{_LAST} messages in the middle of {count:,}", pairs)


def everything(pairs: int, count: int) -> Iterator[Row]:
    """P4: a whole bus, against its messages as JSON lines."""
    with _scratch() as scratch:
        long, lines = history(count, scratch / "bus.md"), scratch / "bus.jsonl"
        with lines.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(message_document(message))}\n" for message in long.messages())
        yield measured(
            "P4",
            f"read all of {count:,} messages",
            lambda: timed(lambda: _parsed(lines)),
            lambda: timed(lambda: _drained(long)),
            pairs=pairs,
            goal=4,
        )


def _since(long: History, cursor: int, what: str, pairs: int) -> Row:
    """One `pread` of the last 64 KiB of the open file against a call that opens, looks for the cursor and decodes."""
    bus, msg_id, fd = FileBus(long.path), long.msg_id(cursor), os.open(long.path, os.O_RDONLY)
    start = os.fstat(fd).st_size - _TAIL
    try:
        return measured(
            "P3",
            f"read since a cursor, {what}",
            lambda: timed(lambda: os.pread(fd, _TAIL, start)),
            lambda: timed(lambda: _ten(bus, msg_id)),
            pairs=pairs * _PAIRS_EACH,
        )
    finally:
        os.close(fd)


def _ten(bus: FileBus, msg_id: str) -> None:
    if len(list(bus.read(since=msg_id, limit=_LAST))) != _LAST:
        raise RuntimeError(f"{bus.path} has not {_LAST} messages after {msg_id}")


def _parsed(lines: Path) -> None:
    with lines.open(encoding="utf-8") as file:
        for line in file:
            json.loads(line)


def _drained(long: History) -> None:
    last = deque(FileBus(long.path).read(), maxlen=1)
    if last[0].msg_id != long.msg_id(-1):
        raise RuntimeError(f"{long.path} was not read to its end")


def _memory(scratch: Path, long: History) -> tuple[str, str]:
    """The peaks of processes that read a short bus and a long one, as a note, and what is wrong with them, if any."""
    (scratch / "small").mkdir()
    small = history(_SMALL, scratch / "small" / "bus.md")
    peaks = [_peak(bus) for bus in (small, long)]
    if None in peaks:
        return "memory not measured: no /proc here", ""
    first, second = (peak or 0 for peak in peaks)
    shown = f"{first / 1e6:.1f} MB for {_SMALL:,} messages, {second / 1e6:.1f} MB for {long.length:,}"
    return f"a process that reads all has a peak of {shown}", "memory grows" if second > first + _GROWTH else ""


def _peak(bus: History) -> int | None:
    command = [sys.executable, "-m", "benchmarks.reading", str(bus.path), bus.msg_id(-1 - _LAST)]
    done = subprocess.run(command, cwd=_TOP, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return int(done.stdout) if done.stdout.strip() else None


def _print_peak(path: Path, cursor: str) -> None:
    """By the kernel's own count of this process: `ru_maxrss` begins with what its parent had."""
    deque(FileBus(path).read(since=cursor), maxlen=0)
    deque(FileBus(path).read(), maxlen=0)
    status = Path("/proc/self/status")
    if status.exists():
        print(next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM")))


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=kept_in(), prefix="reading-") as scratch:
        yield Path(scratch)


if __name__ == "__main__":
    _print_peak(Path(sys.argv[1]), sys.argv[2])
