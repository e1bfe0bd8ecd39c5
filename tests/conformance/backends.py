"""The backends under test, and programs that use one by its URL in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.base import Bus
from conductor_git.message import Message

BACKENDS: Final = {"file": "file:{}/MESSAGE-BUS.md", "sqlite": "sqlite:{}/bus.sqlite"}
"""Backend → URL of a bus in a directory."""
FACT: Final = Message(type="FACT", body="The redirect loop is fixed.", project_id="acme", task_id="fix-login")
OPENING: Final = """
import sys
from conductor_git.bus.address import open_bus, parse_address
from conductor_git.bus.watching.stop import Stop
from conductor_git.message import Message
bus = open_bus(parse_address(sys.argv[1]), seconds=60)
"""
"""How a program begins: the bus is `bus`, what else it is told is in `sys.argv[2:]`."""


def bus_at(url: str, seconds: float = 10) -> Bus:
    return open_bus(parse_address(url), seconds)


_started: Final[list[subprocess.Popen[str]]] = []


def program(text: str, url: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs `text` on the bus at `url`, until the test has ended at the longest."""
    started = subprocess.Popen(
        [sys.executable, "-c", OPENING + text, url, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _started.append(started)
    return started


def end_programs() -> None:
    """What a test that failed has left running, with its pipes, must not be met by the next one."""
    while _started:
        with _started.pop() as program:
            program.kill()


def url_in(directory: Path, backend: str) -> str:
    return BACKENDS[backend].format(directory)
