"""The installed command without the start of its interpreter, which costs more than what most commands do.

A process that has all of conductor-git imported forks for each command (tests/kit/forking.py). The command is a
process as any: with its own directory, environment, streams, exit code and end by a signal. What a fork does not show
is what an import does at the start, so with `COLD=1` in the environment, and wherever a test hands over something that
an interpreter heeds when it starts, the command is executed.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, NamedTuple

_FREE: Final = ("CONDUCTOR_", "GIT_", "XDG_", "HOME", "PATH", "PYTEST_")
"""Variables that nothing reads before a command does, by their beginnings. Any other that differs asks for a start."""
_LOOKED_FOR: Final = "CONDUCTOR_RUN_ID"
"""Others find a run's processes by it, in an environment that the kernel shows as it was when the forker started."""
_PIPEFUL: Final = 60_000
"""Bytes that a pipe takes before anybody reads."""
_LIMITS: Final = tuple(number for name, number in vars(resource).items() if name.startswith("RLIMIT_"))


_origin: Final[dict[str, str]] = {}
_forkers: Final[dict[int, _Forker]] = {}
_choosing: Final = threading.Lock()


class Ended(NamedTuple):
    """How a process ended: exit code (negative for a signal), and all that it wrote."""

    code: int
    out: bytes
    err: bytes


class _Forker:
    """The process that forks, for as long as this one lives."""

    def __init__(self, script: Path, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._limits = _limits()
        self._turn = threading.Lock()
        self._channel, theirs = socket.socketpair()
        program = Path(__file__).with_name("forking.py")
        with theirs:
            command: list[str | Path] = [sys.executable, program, script, str(theirs.fileno())]
            # Pipes, as a command has: from them the interpreter decides how the streams are buffered.
            self._process = subprocess.Popen(
                command,
                cwd="/",
                env=self._environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        atexit.register(self._end)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def suits(self, environment: Mapping[str, str]) -> bool:
        """Whether a fork in `environment` is what an interpreter that starts in it would be."""
        differing = {name for name, _ in environment.items() ^ self._environment.items()}
        is_free = all(name.startswith(_FREE) and name != _LOOKED_FOR for name in differing)
        return is_free and _limits() == self._limits

    def run(self, words: list[str], cwd: Path, environment: Mapping[str, str], given: bytes, seconds: float) -> Ended:
        asked = {"words": words, "cwd": str(cwd), "env": dict(environment)}
        told, theirs = socket.socketpair()
        (their_in, our_in), (our_out, their_out), (our_err, their_err) = os.pipe(), os.pipe(), os.pipe()
        os.write(our_in, given)
        os.close(our_in)
        with self._turn:
            socket.send_fds(self._channel, [b"!"], [theirs.fileno(), their_in, their_out, their_err])
        theirs.close()
        for fd in (their_in, their_out, their_err):
            os.close(fd)
        with told, told.makefile("rb") as lines, open(our_out, "rb", 0) as out, open(our_err, "rb", 0) as err:  # noqa: PTH123 - descriptors
            told.sendall(json.dumps(asked).encode() + b"\n")
            pid = int(lines.readline())
            said = _read_all(out, err, time.monotonic() + seconds)
            if said is None:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, seconds)
            return Ended(int(lines.readline()), *said)

    def _end(self) -> None:
        self._channel.close()
        self._process.communicate()


def run(
    script: Path, words: list[str], cwd: Path, environment: Mapping[str, str], given: bytes, seconds: float
) -> Ended | None:
    """Run the command to its end in a fork; None where it has to be executed."""
    if not _can_fork(environment) or len(given) > _PIPEFUL or not (cwd.is_absolute() and cwd.is_dir()):
        return None
    forker = _forker(script)
    return forker.run(words, cwd, environment, given, seconds) if forker.suits(environment) else None


def start_from(environment: Mapping[str, str]) -> None:
    """Have the forker start in `environment`: the kernel shows it as that of every fork, so it has no test's marks."""
    _origin.clear()
    _origin.update(environment)


def _can_fork(environment: Mapping[str, str]) -> bool:
    return sys.platform == "linux" and not environment.get("COLD")


def _forker(script: Path) -> _Forker:
    """The one of this process; another, where a test or its agents ended it."""
    with _choosing:
        known = _forkers.get(os.getpid())
        if known is None or not known.is_alive:
            known = _forkers[os.getpid()] = _Forker(script, _origin or os.environ)
        return known


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(number) for number in _LIMITS]


def _read_all(out: IO[bytes], err: IO[bytes], until: float) -> tuple[bytes, bytes] | None:
    """What comes until both are at their end; None where that is not before `until`."""
    parts: dict[IO[bytes], list[bytes]] = {out: [], err: []}
    with selectors.DefaultSelector() as selector:
        for stream in parts:
            selector.register(stream, selectors.EVENT_READ, stream)
        while selector.get_map():
            ready = selector.select(max(until - time.monotonic(), 0))
            if not ready:
                return None
            for key, _ in ready:
                if piece := key.data.read(1 << 16):
                    parts[key.data].append(piece)
                else:
                    selector.unregister(key.data)
    return b"".join(parts[out]), b"".join(parts[err])
