"""A real process that appends to a bus, with one of its system calls made to fail or to be its last one.

strace counts the calls of a process from its start, so the program first does everything once on a bus of its own:
after that it imports nothing more, and the calls up to the word READY are as many in every run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.base import Bus
from conductor_git.message import Message

CALLS: Final = tuple(
    "openat flock fcntl fstat newfstatat statx lstat stat lseek read pread64 write pwrite64 ftruncate fallocate "
    "fdatasync fsync rename renameat renameat2 mkdir mkdirat access faccessat faccessat2 unlink unlinkat "
    "getdents64".split()
)
FLUSHES: Final = frozenset({"fdatasync", "fsync"})
CHANGES: Final = FLUSHES | {
    *("write", "pwrite64", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "mkdir", "mkdirat"),
    *("unlink", "unlinkat"),
}

_PROGRAM: Final = """
import os, sys
from conductor_git.bus.address import open_bus, parse_address
from conductor_git.errors import ConductorError
from conductor_git.message import Message

def work(url, tell):
    bus = open_bus(parse_address(url)._replace(segment_bytes=int(sys.argv[3])), seconds=1)
    for number in (1, 2):
        try:
            said = bus.append(Message(type="FACT", body=f"message {number} of this run\\n" * 40, task_id="appended"))
        except ConductorError as refused:
            said = f"refused {refused.code}: {refused.message}"
        tell(f"{said}\\n".encode())

def used(url):
    # Another user of a database: its log stays when an append is done.
    import sqlite3
    user = sqlite3.connect(url.removeprefix("sqlite:"))
    user.execute("SELECT count(*) FROM message").fetchone()
    return user

users = [used(url) for url in sys.argv[1:3] if sys.argv[4] == "True"]
work(sys.argv[1], lambda _: None)
os.write(2, b"READY\\n")
work(sys.argv[2], lambda said: os.write(1, said))
os.write(2, b"DONE\\n")
"""
LINE: Final = re.compile(r"\d+ +(\w+)\((.*)")
_INTERPRETER: Final = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


class Point(NamedTuple):
    """Call number `when` of `call`, counted from the start of the process."""

    call: str
    when: int
    line: str

    @property
    def is_change(self) -> bool:
        return self.call in CHANGES or "O_CREAT" in self.line

    def __str__(self) -> str:
        return f"{self.call}#{self.when} {self.line[:160]}"


class Ended(NamedTuple):
    """How a run ended: what it acknowledged and was refused, a line each, and the log of its calls."""

    code: int
    said: list[str]
    err: str
    log: list[str]

    @property
    def injected(self) -> str:
        """The call that failed, or that a kill left without a result."""
        return next((line for line in self.log if "(INJECTED)" in line or line.endswith(" = ?")), "")


@dataclass(frozen=True, slots=True)
class Stage:
    """A bus in a state of its own, made once by `build` and copied for each run of a program that appends to it."""

    place: Path
    name: str
    """What the bus is called to `parse_address`, with `{}` for its directory."""
    build: Callable[[str], None]
    segment_bytes: int = 64 << 20
    in_use: bool = False
    """Whether another connection keeps the log of a database."""

    @property
    def url(self) -> str:
        return self._url("real")

    @property
    def bus(self) -> Bus:
        return open_bus(parse_address(self.url))

    @property
    def directory(self) -> Path:
        """Where the bus is."""
        return self.place / "real" / "conductor"

    @property
    def names(self) -> list[str]:
        """The files of the bus before a run."""
        return [path.name for path in (self.place / "template" / "conductor").glob("*")]

    def built(self) -> list[Message]:
        """Make the bus, and tell what it holds; looked at on a copy, since even a reader can mend a database."""
        (self.place / "template").mkdir()
        self.build(self._url("template"))
        shutil.copytree(self.place / "template", self.place / "look")
        return list(open_bus(parse_address(self._url("look"))).read())

    def points(self, acknowledged: int = 2) -> list[Point]:
        """Every call that the program makes while it appends to the bus, of one undisturbed run."""
        run = self.run()
        assert run.code == 0, run
        assert len(run.said) == 2, run
        assert sum(line.startswith("MSG-") for line in run.said) == acknowledged, run
        return list(_points(run.log))

    def run(self, *inject: str) -> Ended:
        """The program on a fresh copy of the bus, under strace with `-e inject=…` for each of `inject`."""
        for copy in ("rehearsal", "real"):
            shutil.rmtree(self.place / copy, ignore_errors=True)
            shutil.copytree(self.place / "template", self.place / copy)
        log = self.place / "log"
        # The filter makes a run many times faster, but no signal is sent at a call with it.
        filtered = [] if any("signal=" in option for option in inject) else ["--seccomp-bpf"]
        strace = ["strace", "-f", *filtered, "-qq", "-y", "-s", "100", "-o", str(log)]
        strace += ["-e", f"trace={','.join(f'?{call}' for call in CALLS)}", "-e", "signal=none"]
        strace += [word for option in inject for word in ("-e", f"inject={option}")]
        how = [str(self.segment_bytes), str(self.in_use)]
        program = [sys.executable, "-c", _PROGRAM, self._url("rehearsal"), self.url, *how]
        done = subprocess.run(
            [*strace, *program], capture_output=True, text=True, check=False, env=os.environ | _INTERPRETER
        )
        return Ended(
            done.returncode, done.stdout.splitlines(), done.stderr, log.read_text("utf-8", "replace").split("\n")
        )

    def failing(self, point: Point, error: str) -> Ended:
        return self.run(f"{point.call}:error={error}:when={point.when}")

    def killed(self, point: Point) -> Ended:
        return self.run(f"{point.call}:signal=KILL:when={point.when}")

    def _url(self, copy: str) -> str:
        return self.name.format(self.place / copy / "conductor")


def body(number: int) -> str:
    """What the program appends as its message `number`."""
    return f"message {number} of this run\n" * 40


def _points(log: list[str]) -> Iterator[Point]:
    seen: Counter[str] = Counter()
    is_work = False
    for line in log:
        match = LINE.match(line)
        if match is None:
            continue
        call, rest = match.groups()
        seen[call] += 1
        if '"READY\\n"' in rest or '"DONE\\n"' in rest:
            is_work = "READY" in rest
        elif is_work and not re.match(r"[12]<", rest):
            yield Point(call, seen[call], rest)
