"""Writers of a bus that are processes, and messages by number."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from conductor_git.bus.sqlite import SqliteBus
from conductor_git.frames.frame import encode
from conductor_git.message import Message, make_msg_id, timestamp

NOON = 1_795_174_502_123_456_789
FACT = Message(type="FACT", body="The redirect loop is fixed.", project_id="acme", task_id="fix-login")
WRITER = """
import sys
from pathlib import Path
from conductor_git.bus.file import FileBus
from conductor_git.message import Message
bus, name = FileBus(Path(sys.argv[1]), seconds=60), sys.argv[2]
for number in range(int(sys.argv[3])):
    body = f"{name} {number}\\n---\\n" + "x" * (number % 7 * 300)
    print(bus.append(Message(type="PROGRESS", body=body, task_id=name)), flush=True)
"""


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def numbered(number: int, body: str = "one of many") -> Message:
    at = NOON + number * 1_000_000
    return FACT._replace(body=f"{body} {number}", msg_id=make_msg_id(at, 4242, number), ts=timestamp(at))


def filled(path: Path, count: int) -> list[Message]:
    messages = [numbered(number) for number in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(encode, messages)))
    return messages


def opened(bus: SqliteBus) -> closing[sqlite3.Connection]:
    """A connection of another tool, which keeps the log from being removed."""
    db = sqlite3.connect(bus.path, isolation_level=None)
    db.execute("SELECT count(*) FROM message").fetchone()
    return closing(db)


def beside(bus: SqliteBus, end: str) -> Path:
    return bus.path.with_name(bus.path.name + end)
