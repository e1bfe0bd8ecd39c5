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


class Proof(NamedTuple):
    """What the system calls of some writers say. `unproved` are the acknowledgements before which something that the
    writer had written since the one before was not flushed, or before which it had written nothing at all."""

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
        found = [read_log(log.read_text("utf-8", "replace").splitlines(), place) for log in logs.iterdir()]
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


def read_log(lines: Iterable[str], place: Path) -> Proof:
    """One process's system calls in their order, as `strace -y` writes them; only what is below `place` counts."""
    acknowledged = unproved = flushes = 0
    written: set[str] = set()
    unflushed: set[str] = set()
    for line in lines:
        call = _CALL.match(line)
        if call is None or not call["path"].startswith(str(place)) or int(call["result"]) < 0:
            continue
        if Path(call["path"]).name.startswith(ACKNOWLEDGED):
            acknowledged += 1
            unproved += not written or bool(unflushed)
            written, unflushed = set(), set()
        elif call["name"] in _FLUSHES.split(","):
            flushes += 1
            unflushed.discard(call["path"])
        else:
            written.add(call["path"])
            unflushed.add(call["path"])
    return Proof(acknowledged, unproved, flushes)
