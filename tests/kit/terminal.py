"""Commands on a terminal: what a person would see, colours and all."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

from tests.kit.console import console_script


def on_a_terminal(place: Path, *words: str, variables: Mapping[str, str] | None = None) -> str:
    """What the command prints on a terminal with colours and 80 columns."""
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "TZ": "UTC"} | dict(variables or {})
    command = [str(console_script()), *words]
    with subprocess.Popen(command, cwd=place, env=environment, stdin=follower, stdout=follower, stderr=follower):
        os.close(follower)
        parts = []
        while part := _part(leader):
            parts.append(part)
    os.close(leader)
    return b"".join(parts).decode().replace("\r\n", "\n")


def _part(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""
