"""A crowd on one bus: processes that write, rotate and follow, some of which are killed.

`python -m tests.soak.crowd write|follow …` is what each of them runs.
"""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import threading
import zlib
from itertools import count, islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from conductor_git.bus.file import FileBus
from conductor_git.bus.segments.listing import SEGMENT_BYTES
from conductor_git.bus.watching.stop import Stop
from conductor_git.message import Message

LARGEST: Final = 100 * 1024
FORGERY: Final = "\n\n---\nmsg_id: MSG-20261120-101502-123456789-PID04242-0001\ntype: LANDED\n---\nÄrger \u2028\n\n"
_TOP: Final = Path(__file__).parents[2]
_PAUSE: Final = 0.02


def body_of(name: str, number: int) -> str:
    """What the message `number` of the writer `name` says: mostly little, sometimes 100 KiB, and full of boundaries."""
    chance = random.Random(f"{name} {number}")
    size = chance.randrange(LARGEST) if chance.random() < 0.01 else int(chance.expovariate(1 / 600))
    text = f"{name} {number}\n{FORGERY * (size // len(FORGERY) + 1)}"
    return text.encode()[: min(size, LARGEST) + 40].decode("utf-8", "ignore")


def line_of(message: Message) -> str:
    """What a follower notes of a message."""
    return f"{message.msg_id} {zlib.crc32(message.body.encode())}\n"


class Crowd:
    """Starts and ends processes on one bus; what each was acknowledged or saw is in files. All end with the block."""

    def __init__(self, place: Path, writers: int, followers: int) -> None:
        self.path = place / "state" / "bus.md"
        self.killed: set[str] = set()
        self.said = place / "said"
        """What any of them told or complained of."""
        self.rotations = 0
        self._acknowledged = place / "acknowledged"
        self._seen = place / "seen"
        self._acknowledged.mkdir()
        self._seen.mkdir()
        self._followers = [self._start("follow", self._seen / f"follower-{number}") for number in range(followers)]
        self._born = count()
        self._writers = dict(self._writer() for _ in range(writers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        for process in (*self._writers.values(), *self._followers):
            process.kill()
            process.communicate()

    def kill_one(self) -> None:
        """End a writer without a warning, wherever it is, and put another in its place."""
        name = random.choice(sorted(self._writers))
        victim = self._writers.pop(name)
        assert victim.poll() is None, self.said.read_text()
        victim.kill()
        victim.communicate()
        self.killed.add(name)
        self._writers.update([self._writer()])

    def rotate(self) -> None:
        """Close the file and begin another, by a process of its own that writes one message."""
        name = f"rotator-{self.rotations}"
        self.rotations += 1
        self._end([self._start("write", self._acknowledged / name, 1, 1)])

    def end_writers(self) -> None:
        """Let each come to the end of what it is at."""
        self._end(list(self._writers.values()))

    def end_followers(self) -> None:
        self._end(self._followers)

    def acknowledged(self) -> dict[str, list[str]]:
        """Writer → the ids that it was given, in order."""
        return {file.name: file.read_text().splitlines() for file in self._acknowledged.iterdir()}

    def seen(self) -> list[Path]:
        """A file for each follower, with a line for each message that it saw."""
        return sorted(self._seen.iterdir())

    def _writer(self) -> tuple[str, subprocess.Popen[bytes]]:
        name = f"writer-{next(self._born)}"
        return name, self._start("write", self._acknowledged / name, SEGMENT_BYTES, 0)

    def _start(self, what: str, notes: Path, *more: int) -> subprocess.Popen[bytes]:
        notes.touch()
        command = [sys.executable, "-m", "tests.soak.crowd", what, str(self.path), str(notes), *map(str, more)]
        with self.said.open("ab") as said:
            return subprocess.Popen(command, cwd=_TOP, stdin=subprocess.PIPE, stdout=said, stderr=said)

    def _end(self, processes: list[subprocess.Popen[bytes]]) -> None:
        """Each ends with its standard input, when it has done what it is at."""
        for process in processes:
            process.communicate()
        assert [process.returncode for process in processes] == [0] * len(processes), self.said.read_text()


def _write(path: Path, notes: int, name: str, segment_bytes: int, limit: int | None, stop: Stop) -> None:
    bus = FileBus(path, seconds=60, segment_bytes=segment_bytes)
    for number in islice(count(), limit):
        msg_id = bus.append(Message(type="PROGRESS", body=body_of(name, number), task_id=name))
        os.write(notes, f"{msg_id}\n".encode())
        if stop.is_set:
            break
        # Writers that pause leave their neighbours a turn, as agents do.
        select.select([stop], [], [], random.random() * _PAUSE)


def _follow(path: Path, notes: int, stop: Stop) -> None:
    def tell(said: str) -> None:
        sys.stderr.write(f"{said}\n")

    for message in FileBus(path).follow(stop=stop, tell=tell):
        os.write(notes, line_of(message).encode())


def _await_end(stop: Stop) -> None:
    sys.stdin.read()
    stop.set()


def _main(what: str, path: str, file: str, *more: str) -> None:
    stop = Stop()
    threading.Thread(target=_await_end, args=(stop,), daemon=True).start()
    notes = os.open(file, os.O_WRONLY | os.O_APPEND)
    if what == "follow":
        _follow(Path(path), notes, stop)
    else:
        segment_bytes, limit = map(int, more)
        _write(Path(path), notes, Path(file).name, segment_bytes, limit or None, stop)


if __name__ == "__main__":
    _main(*sys.argv[1:])
