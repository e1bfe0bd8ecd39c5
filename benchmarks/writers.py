"""Ten processes that append to one bus at once: the work of P1 and P2.

`python -m benchmarks.writers BACKEND PATH` does it once and untimed, for whoever watches its system calls.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conductor_git.bus.address import Address, open_bus
from conductor_git.message import Message

PROCESSES: Final = 10
EACH: Final = 100
ACKNOWLEDGED: Final = "acknowledged."
"""How the files begin in which a writer notes each message after its append has returned."""

MESSAGE: Final = Message(
    type="PROGRESS",
    body="Working on the thing, step 5 of 10: the redirect loop is fixed and the tests pass now.",
    project_id="acme",
    task_id="fix-login",
    run_id="20261120-101500123456-4242-1",
    meta={"revision": "7"},
)
_fork: Final = multiprocessing.get_context("fork")

Appending = Callable[[Path], None]


def appending(backend: str) -> Appending:
    """What one process does: its messages, one after the other."""
    with TemporaryDirectory() as warm:
        # What a first append imports is there before the processes are: the yardstick imports nothing either.
        open_bus(Address(backend, Path(warm, "bus"))).append(MESSAGE)

    def append(path: Path) -> None:
        bus = open_bus(Address(backend, path))
        for _ in range(EACH):
            bus.append(MESSAGE)

    return append


def together(append: Appending, path: Path) -> float:
    """Seconds that ten processes take, from the moment at which all are ready."""
    ready = _fork.Barrier(PROCESSES + 1)

    def work() -> None:
        ready.wait()
        append(path)

    children = [_fork.Process(target=work) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    ready.wait()
    start = time.perf_counter()
    for child in children:
        child.join()
    seconds = time.perf_counter() - start
    if any(child.exitcode for child in children):
        raise RuntimeError(f"a process that appends to {path} failed")
    return seconds


def _told(backend: str) -> Appending:
    """As `appending`, with a note of each message once it is acknowledged."""

    def append(path: Path) -> None:
        bus = open_bus(Address(backend, path))
        with path.with_name(f"{ACKNOWLEDGED}{os.getpid()}").open("xb", buffering=0) as told:
            told.writelines(f"{bus.append(MESSAGE)}\n".encode() for _ in range(EACH))

    return append


if __name__ == "__main__":
    together(_told(sys.argv[1]), Path(sys.argv[2]))
