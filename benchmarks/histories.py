"""Buses with a long history, the same to the byte in every run: written as a file bus would have, but at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git.bus.segments.listing import SEGMENT_BYTES, segment_path
from conductor_git.frames.frame import encode
from conductor_git.message import Message, Parent, make_msg_id, timestamp

_FIRST: Final = 1_795_174_502_000_000_000
_BETWEEN: Final = 1_000_001
_PID: Final = 4242
_TASKS: Final = 16
_TYPES: Final = ("PROGRESS", "PROGRESS", "FACT", "DECISION")
_ANSWERED: Final = 10
"""One message in as many answers an earlier one, so that no other has the same header."""


class History(NamedTuple):
    """A bus of `length` messages, about 400 bytes each."""

    path: Path
    length: int

    def msg_id(self, number: int) -> str:
        """The id of a message, numbered from 0; from the end where negative."""
        return _msg_id(number % self.length)

    def write(self) -> None:
        """The closed segments and the file that is written to."""
        frames = (encode(_message(number)) for number in range(self.length))
        held: list[bytes] = []
        size = written = 0
        for frame in frames:
            if size + len(frame) > SEGMENT_BYTES:
                segment_path(self.path, _msg_id(written)).write_bytes(b"".join(held))
                written, held, size = written + len(held), [], 0
            held.append(frame)
            size += len(frame)
        self.path.write_bytes(b"".join(held))

    def messages(self) -> Iterator[Message]:
        return map(_message, range(self.length))


def history(length: int, path: Path) -> History:
    made = History(path, length)
    made.write()
    return made


def _message(number: int) -> Message:
    task = number % _TASKS
    answers = number % _ANSWERED == _ANSWERED - 1
    return Message(
        type=_TYPES[number // _TASKS % len(_TYPES)],
        body=f"Step {number}: the redirect loop of the login is fixed and the tests of it pass now, all of them.",
        project_id="acme",
        task_id=f"task-{task:05d}",
        run_id=f"20261120-101500123456-4242-{task}",
        parents=(Parent(_msg_id(number - 1), "answers"),) if answers else (),
        meta={"revision": "7"},
        msg_id=_msg_id(number),
        ts=timestamp(_FIRST + number * _BETWEEN),
    )


def _msg_id(number: int) -> str:
    return make_msg_id(_FIRST + number * _BETWEEN, _PID, number)
