"""That what was measured was durable: every acknowledgement comes after a flush that began after its write.

Seen from outside, in the system calls of a run beside the timed ones (strace), so that nobody wins by not flushing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.repositories import kept_in
from benchmarks.writers import ACKNOWLEDGED, EACH, PROCESSES

_WRITES: Final = "write,writev,pwrite64,pwritev,pwritev2"
_FLUSHES: Final = "fsync,fdatasync"
_CALL: Final = re.compile(r"(?P<name>\w+)\(\d+<(?P<path>[^>]*)>.* = (?P<result>-?\d+)")
_TOP: Final = Path(__file__).parents[1]


_LOGS: Final = {"file": "bus", "sqlite": "bus-wal"}
"""The file to which a backend first writes a message. What it copies from there to others later is safe already."""


class Proof(NamedTuple):
    """What the system calls of some writers say. `unproved` are the acknowledgements before which the writer's last
    write had not been flushed, or before which it had written nothing since the one before."""

    acknowledged: int = 0
    unproved: int = 0
    flushes: int = 0

    @property
    def is_durable(self) -> bool:
        return self.acknowledged == PROCESSES * EACH and not self.unproved

    @property
    def note(self) -> str:
        return f"{self.flushes / max(self.acknowledged, 1):.2f} flushes a message, {self._verdict}"

    @property
    def _verdict(self) -> str:
        if self.is_durable:
            return f"all {self.acknowledged:,} acknowledged after a flush begun after the write"
        return f"{self.unproved:,} of {self.acknowledged:,} acknowledged without a flush after the write"


def proof(backend: str) -> Proof | None:
    """What strace saw of ten writers on a bus of this backend; None where it cannot be used here."""
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory(dir=kept_in(), prefix="flushes-") as scratch:
        place, logs = Path(scratch, "bus").resolve(), Path(scratch, "logs")
        place.mkdir()
        logs.mkdir()
        if not _traced(backend, place, logs):
            return None
        logged = (log.read_text("utf-8", "replace").splitlines() for log in logs.iterdir())
        found = [read_log(lines, place / _LOGS[backend]) for lines in logged]
        return Proof(*map(sum, zip(*found, strict=True)))


def _traced(backend: str, place: Path, logs: Path) -> bool:
    """Whether the writers could be watched; their failure ends the benchmark."""
    tracer = ["strace", "-ff", "-y", "-qq", "-s", "0", "-o", str(logs / "log")]
    usable = [*tracer, "-e", "trace=none", "true"]
    if subprocess.run(usable, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
        return False
    writers = [sys.executable, "-m", "benchmarks.writers", backend, str(place / "bus")]
    command = [*tracer, "-e", f"trace={_WRITES},{_FLUSHES}", *writers]
    subprocess.run(command, cwd=_TOP, stdin=subprocess.DEVNULL, check=True)
    return True


def read_log(lines: Iterable[str], bus: Path) -> Proof:
    """One process's system calls in their order, as `strace -y` writes them. `bus` is the file that messages go to;
    flushes of what lies beside it are counted too."""
    acknowledged = unproved = flushes = 0
    is_written = is_flushed = False
    for call in filter(None, map(_CALL.match, lines)):
        path, is_flush = Path(call["path"]), call["name"] in _FLUSHES.split(",")
        if int(call["result"]) < 0 or bus.parent not in (path, path.parent):
            continue
        flushes += is_flush
        if path.name.startswith(ACKNOWLEDGED):
            acknowledged += 1
            unproved += not (is_written and is_flushed)
            is_written = False
        elif path == bus:
            is_written, is_flushed = is_written or not is_flush, is_flush
    return Proof(acknowledged, unproved, flushes)
