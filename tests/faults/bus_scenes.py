"""The states of a bus in which a fault or a kill meets an append, on each backend."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.segments.listing import SEGMENT_BYTES
from conductor_git.message import Message
from tests.faults.failing import Point, Stage

FILE: Final = "file:{}/MESSAGE-BUS.md"
SQLITE: Final = "sqlite:{}/bus.sqlite"


class Scene(NamedTuple):
    """How the bus is when the program comes to it, and a call that shows that the scene is played."""

    url: str
    build: Callable[[str], None]
    call: str
    about: str = ""
    segment_bytes: int = SEGMENT_BYTES
    in_use: bool = False


def nothing(_: str) -> None:
    pass


def some(url: str) -> None:
    bus = open_bus(parse_address(url))
    for number in range(3):
        bus.append(Message(type="FACT", body=f"before the fault {number}\n" * 20))


def torn(url: str) -> None:
    some(url)
    path = parse_address(url).path
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:300])


def torn_log(url: str) -> None:
    left_by_a_kill(url, log_bytes=40_000)
    log = parse_address(url).path.with_name("bus.sqlite-wal")
    log.write_bytes(log.read_bytes()[:-1500])


def long_log(url: str) -> None:
    """As long as SQLite lets it get: the next commit brings it into the database."""
    left_by_a_kill(url, log_bytes=990 * 4120)


SCENES: Final = {
    "file, some messages": Scene(FILE, some, "fdatasync"),
    "file, none yet": Scene(FILE, nothing, "mkdir"),
    "file, a torn tail": Scene(FILE, torn, "ftruncate"),
    "file, a full segment": Scene(FILE, some, "rename", "MESSAGE-BUS.MSG-", segment_bytes=3000),
    "sqlite, some messages": Scene(SQLITE, some, "fdatasync"),
    "sqlite, a log in use": Scene(SQLITE, some, "fdatasync", in_use=True),
    "sqlite, none yet": Scene(SQLITE, nothing, "mkdir"),
    "sqlite, a torn log": Scene(SQLITE, torn_log, "pread64", "-wal"),
    "sqlite, a long log": Scene(SQLITE, long_log, "pwrite64", "bus.sqlite>"),
}


class Theatre(NamedTuple):
    stage: Stage
    points: list[Point]
    before: list[Message]


@contextmanager
def in_memory() -> Iterator[Path]:
    """A directory in memory where the system has a place for that: what tries a thousand faults waits for no disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as place:
        yield Path(place)


def theatre(scene: Scene, place: Path) -> Theatre:
    """The scene below `place`, with every call of an undisturbed run of the program in it."""
    stage = Stage(place, scene.url, scene.build, scene.segment_bytes, scene.in_use)
    before, points = stage.built(), stage.points()
    assert any(point.call == scene.call and scene.about in point.line for point in points), points
    return Theatre(stage, points, before)


def left_by_a_kill(url: str, log_bytes: int) -> None:
    """A database as a kill leaves it: with all of its messages in a log that nobody has brought into it yet."""
    program = """
import os, signal, sqlite3, sys
from conductor_git.bus.address import open_bus, parse_address
from conductor_git.message import Message
bus = open_bus(parse_address(sys.argv[1]))
bus.append(Message(type="FACT", body="the first"))
keeps_the_log = sqlite3.connect(bus.path)
keeps_the_log.execute("SELECT count(*) FROM message").fetchone()
while not os.path.exists(f"{bus.path}-wal") or os.path.getsize(f"{bus.path}-wal") < int(sys.argv[2]):
    bus.append(Message(type="FACT", body="one of many"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, url, str(log_bytes)], check=False)
    assert done.returncode == -signal.SIGKILL
