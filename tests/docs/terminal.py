"""A scratch repository and a terminal, for running what a page shows: what is printed there is what a person sees."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Final

from tests import kit

COLUMNS: Final = 100
_HOME: Final = "/home/you"

_CHANGING: Final = (
    (re.compile(r"MSG-[0-9]{8}-[0-9]{6}-[0-9]{9}-PID[0-9]{5,}-[0-9]{4}"), "MSG-…"),
    (re.compile(r"\b[0-9]{8}-[0-9]{12}-[0-9]+-[0-9]+\b"), "<run>"),
    (re.compile(r"\b[0-9]{8}T[0-9]{12}Z"), "<moment>"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z?"), "<time>"),
    (re.compile(r"\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b"), "<clock>"),
    (re.compile(r"\bcrc: \"?[0-9a-f]{8}\"?"), "crc: <hex>"),  # quoted where it could be a number
    (re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{7,40}\b"), "<hex>"),
    (re.compile(r"\b[a-f]{10}\b"), "<hex>"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? (ms|s)\b"), "<span>"),
    (re.compile(r"\b[0-9]+[smhd]\b"), "<age>"),
    (re.compile(r"((?:pid|pgid|pid_started|age_seconds|seconds)\"?: )'?[0-9.]+'?"), r"\1<number>"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? (B|kB|MB|GB)\b"), "<size>"),
    (re.compile(r"─+"), "─"),
    (re.compile(r" {2,}"), "  "),
)


class Terminal:
    """Runs commands one after the other in a repository `acme`, each on a terminal of its own, `cd` remembered."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.cwd = kit.make_repository(place / "acme")

    def run(self, command: str) -> tuple[str, ...]:
        """The lines that `command` prints on a terminal; how it ends does not matter."""
        where = self.place / "cwd"
        script = f"cd {shlex.quote(str(self.cwd))}\n{command}\ncode=$?\npwd >{shlex.quote(str(where))}\nexit $code\n"
        printed = _on_a_terminal(["bash", "--norc", "-c", script], self._environment())
        self.cwd = Path(where.read_text().strip())
        shown = printed.replace(str(self.place), _HOME).replace("\r\n", "\n")
        return tuple(line.rstrip() for line in shown.rstrip("\n").split("\n")) if shown.strip() else ()

    def _environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return os.environ | {
            "COLUMNS": str(COLUMNS),
            "GIT_PAGER": "cat",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "PAGER": "cat",
            "PATH": path,
            "PYTHONIOENCODING": "utf-8",
            "TERM": "dumb",
            "XDG_CACHE_HOME": str(self.place / ".cache"),
            "XDG_STATE_HOME": str(self.place / "state"),
        }


def comparable(lines: tuple[str, ...]) -> tuple[str, ...]:
    """`lines` without what differs from run to run: ids, times, lengths of time, pids, and the widths they make."""
    found = "\n".join(lines)
    for pattern, instead in _CHANGING:
        found = pattern.sub(instead, found)
    return tuple(line.rstrip() for line in found.split("\n")) if found else ()


def _on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    leader, follower = os.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=environment, close_fds=True
    ) as child:
        os.close(follower)
        parts = []
        while part := _read(leader):
            parts.append(part)
    os.close(leader)
    assert child.returncode is not None
    return b"".join(parts).decode("utf-8", "replace")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: EIO, once the last process that has the terminal open has ended
        return b""
