"""Kills at chosen system calls: records the mutating calls of a command and of its git processes, then kills at one.

strace counts `when=k` in each traced process by itself, so under one `strace -f` only the first process to come that
far could ever be hit. Here every process has a strace of its own: conductor-git is started under one, and a `git` that
stands first on PATH and in GIT_EXEC_PATH numbers git's processes, git's own children too, and traces the one that is
meant.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Final

import psutil

from tests import kit

_CHANGING: Final = (
    "creat open openat write pwrite64 pwritev writev sendfile copy_file_range rename renameat renameat2 unlink "
    "unlinkat mkdir mkdirat rmdir link linkat symlink symlinkat mknod mknodat truncate ftruncate fallocate chmod "
    "fchmod fchmodat utime utimes utimensat futimesat fsetxattr setxattr"
)
_TRACED: Final = ",".join(f"?{name}" for name in (*_CHANGING.split(), "exit_group"))
# Flushes are not among them: a kill before one leaves what a kill before the next change leaves.
_CALL: Final = re.compile(r"(\w+)\((.*)")
_MADE: Final = re.compile(r"O_CREAT|O_TRUNC")
_INTO: Final = re.compile(r"\d+<(/[^>]*)>")
_NO_FILE: Final = re.compile(r"/proc/|/dev/(?!shm/)")
"""/dev/shm holds files as any: the tests' own, where they are in memory."""
_FAILED: Final = re.compile(r" = -1 E[A-Z]+ ")

_SHIM: Final = """\
#!/bin/sh
read -r number <"$KILL_DIR/count"
number=$((number + 1))
echo "$number" >"$KILL_DIR/count"
case $KILL_AT in
record)
    echo "$*" >"$KILL_DIR/argv.$number"
    exec strace -qq -y -s 0 -o "$KILL_DIR/calls.$number" -e "trace=$KILL_TRACED" "$KILL_REAL/git" "$@"
    ;;
"$number") ;;
*) exec "$KILL_REAL/git" "$@" ;;
esac
strace -qq -y -s 64 -o "$KILL_DIR/killed" -e "trace=$KILL_CALL" \\
    -e "inject=$KILL_CALL:signal=KILL:when=$KILL_WHEN" "$KILL_REAL/git" "$@"
code=$?
[ "$code" -eq 137 ] || exit "$code"
case $KILL_HITS in
tree) kill -KILL 0 ;;
*) kill -KILL $$ ;;
esac
"""


class Hits(StrEnum):
    """Who dies: the process that made the call alone, or conductor-git and everything it started."""

    PROCESS = "process"
    TREE = "tree"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A point by what it does: the start of its command, its call, and words of the call's arguments."""

    hits: Hits
    command: str
    call: str
    what: str
    skipped: int = 0
    """How many points that are the same come before it."""

    def __str__(self) -> str:
        return f"{self.hits} {self.command} {self.call} {self.what}".strip()

    def first(self, points: Iterable[Point]) -> Point:
        return next(islice((point for point in points if self._is(point)), self.skipped, None))

    def _is(self, point: Point) -> bool:
        same = (point.hits, point.call) == (self.hits, self.call)
        return same and point.command.startswith(self.command) and self.what in point.arguments


@dataclass(frozen=True, slots=True)
class Point:
    """Call number `when` of `call` in process `process`: 0 is conductor-git, git's processes count from 1."""

    process: int
    command: str
    call: str
    when: int
    arguments: str
    hits: Hits

    @property
    def deed(self) -> tuple[str, ...]:
        """What the call does, told without the ids, process ids and times that differ from run to run."""
        paths = re.findall(r'"[^"]*"|<[^>]*>', self.arguments)
        names = (re.sub(r"[0-9a-f]{8,}|[0-9]+|tmp_obj_\w+", "#", Path(path[1:-1]).name) for path in paths)
        return (self.hits, re.sub(r"[0-9a-f]{8,}|/\S+", "#", self.command), self.call, *names)

    def __str__(self) -> str:
        return f"{self.hits} {self.process} ({self.command}) {self.call}#{self.when} {self.arguments[:160]}"


@dataclass(frozen=True, slots=True)
class Killed:
    """How a run with a kill in it ended; `fired` says whether the call was reached at all."""

    fired: bool
    code: int
    err: str


class Tracer:
    """Runs commands with a kill at a point; `place` holds its `git` and its logs."""

    def __init__(self, place: Path, environment: Mapping[str, str]) -> None:
        self._more = environment
        self._logs = place / "logs"
        self._bin = place / "bin"
        self._real = Path(kit.git(Path("/"), "--exec-path"))
        self._bin.mkdir(parents=True)
        for program in self._real.iterdir():
            if program.name != "git":
                (self._bin / program.name).symlink_to(program)
        shim = self._bin / "git"
        shim.write_text(_SHIM)
        shim.chmod(0o755)

    def points(self, arguments: Sequence[str], cwd: Path) -> tuple[Point, ...]:
        """Every point of one undisturbed run of conductor-git with `arguments`, which must succeed."""
        self._reset()
        calls = self._logs / "calls.0"
        strace = ["strace", "-qq", "-y", "-s", "0", "-o", str(calls), "-e", f"trace={_TRACED}"]
        code, err = self._run([*strace, str(kit.console_script()), *arguments], cwd, {"KILL_AT": "record"})
        assert code in (0, 13, 14), err
        (self._logs / "argv.0").write_text("conductor-git")
        found: list[Point] = []
        for number in range(1 + int((self._logs / "count").read_text())):
            command = " ".join((self._logs / f"argv.{number}").read_text().split("\n", 1)[0].split(" ")[:3])
            found += _points(number, command, (self._logs / f"calls.{number}").read_text("utf-8", "replace"))
        return tuple(found)

    def kill(self, point: Point, arguments: Sequence[str], cwd: Path) -> Killed:
        """Run conductor-git with `arguments` and kill at `point`; returns when nothing of the run is alive."""
        self._reset()
        command = [str(kit.console_script()), *arguments]
        if point.process == 0:
            inject = f"inject={point.call}:signal=KILL:when={point.when}"
            log = str(self._logs / "killed")
            command = ["strace", "-qq", "-y", "-o", log, "-e", f"trace={point.call}", "-e", inject, *command]
        told = {
            "KILL_AT": str(point.process),
            "KILL_CALL": point.call,
            "KILL_WHEN": str(point.when),
            "KILL_HITS": point.hits,
        }
        code, err = self._run(command, cwd, told)
        killed = self._logs / "killed"
        fired = killed.exists() and "+++ killed by SIGKILL +++" in killed.read_text("utf-8", "replace")
        return Killed(fired, code, err)

    def _reset(self) -> None:
        shutil.rmtree(self._logs, ignore_errors=True)
        self._logs.mkdir()
        (self._logs / "count").write_text("0\n")

    def _run(self, command: Sequence[str], cwd: Path, told: Mapping[str, str]) -> tuple[int, str]:
        said = self._logs / "said"
        with said.open("wb") as output:
            child = subprocess.Popen(
                command,
                cwd=cwd,
                env=os.environ | self._environment() | dict(told),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            code = child.wait(timeout=120)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        kit.until(lambda: not any(_living(child.pid)))
        return code, said.read_text("utf-8", "replace")

    def _environment(self) -> dict[str, str]:
        """The same calls in every run: no bytecode written, and no chance in hashes."""
        return {
            "KILL_DIR": str(self._logs),
            "KILL_REAL": str(self._real),
            "KILL_TRACED": _TRACED,
            "GIT_EXEC_PATH": str(self._bin),
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            **self._more,
        }


def _points(number: int, command: str, log: str) -> Iterator[Point]:
    seen: Counter[str] = Counter()
    for line in log.splitlines():
        parsed = _CALL.match(line)
        if parsed is None:
            continue
        call, arguments = parsed.groups()
        seen[call] += 1
        for hits in Hits:
            if _counts(number, call, arguments, hits):
                yield Point(number, command, call, seen[call], arguments, hits)


def _counts(number: int, call: str, arguments: str, hits: Hits) -> bool:
    """Whether a kill there leaves something that no other point leaves.

    conductor-git waits for each git process, so its own death and that of the whole tree are one. A git process that
    is killed when all its work is done still tells conductor-git that it failed; with the tree gone nobody hears it.
    """
    if number == 0 and hits is Hits.PROCESS:
        return False
    if call == "exit_group":
        return number > 0 and hits is Hits.PROCESS
    if _FAILED.search(arguments):
        return False
    if call in ("open", "openat", "creat"):
        return bool(call == "creat" or _MADE.search(arguments)) and not _elsewhere(arguments)
    if call in ("write", "pwrite64", "pwritev", "writev", "sendfile", "copy_file_range"):
        into = _INTO.match(arguments)
        return into is not None and not _NO_FILE.match(into[1]) and not into[1].endswith("/logs/said")
    return not _elsewhere(arguments)


def _elsewhere(arguments: str) -> bool:
    return re.search(f'"(?:{_NO_FILE.pattern})', arguments) is not None


def _living(group: int) -> Iterator[int]:
    for process in psutil.process_iter(["pid", "status"]):
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                yield process.pid
