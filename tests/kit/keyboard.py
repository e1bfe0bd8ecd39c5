"""A person at the keyboard of a shell: what is typed, key by key, and what is on the screen."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.kit.console import console_script
from tests.kit.waiting import until

_OWNING = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""In a new session: takes the terminal for its own, without which no shell is an interactive one."""


class Keyboard:
    """A shell on a terminal of its own."""

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._seen = b""

    def type(self, text: str) -> None:
        os.write(self._leader, text.encode())

    def sees(self, text: str) -> None:
        """Wait until `text` is on the screen, after what was waited for before."""

        def is_there() -> bool:
            self._read()
            return text.encode() in self._seen

        until(is_there)
        self._seen = self._seen.partition(text.encode())[2]

    def _read(self) -> None:
        while select.select([self._leader], [], [], 0)[0]:
            try:
                self._seen += os.read(self._leader, 65536)
            except OSError:  # Linux: EIO, once the shell has ended
                return


@contextmanager
def at_a_shell(*command: str, cwd: Path, variables: Mapping[str, str] | None = None) -> Iterator[Keyboard]:
    """The shell `command` on a wide terminal, with our command on PATH; it is killed at the end of the block."""
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
    path = f"{console_script().parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = os.environ | {"PATH": path, "TERM": "xterm", "LC_ALL": "C.UTF-8"} | dict(variables or {})
    shell = subprocess.Popen(
        [sys.executable, "-c", _OWNING, *command],
        cwd=cwd,
        env=environment,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        yield Keyboard(leader)
    finally:
        shell.kill()
        shell.wait()
        os.close(leader)
