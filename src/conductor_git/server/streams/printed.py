"""What a task's agent printed, from a place on, attempt after attempt: read in pieces by a thread that may wait."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import sparse
from conductor_git.errors import UnknownCursor
from conductor_git.names import RunId, TaskId
from conductor_git.outputlog import plain
from conductor_git.project import Project
from conductor_git.run import Attempt, Run
from conductor_git.server.streams.sse import event
from conductor_git.workflow.attach import goes_on, next_attempt
from conductor_git.workflow.following import Masking, Record, has_ended, opened, tail_start

PIECE_BYTES: Final = 64 * 1024
_CURSOR: Final = re.compile(r"([0-9]{1,30}(?:-[0-9]{1,20}){1,3})@([0-9]{1,16})(?:\.([0-9]{1,20}))?", re.ASCII)


class Spot(NamedTuple):
    """A byte of an attempt's log. At its end a log without secrets can take the place of one: then `inode` differs."""

    run_id: RunId
    position: int
    inode: int | None = None

    def __str__(self) -> str:
        return f"{self.run_id}@{self.position}" + ("" if self.inode is None else f".{self.inode}")


def spot(cursor: str) -> Spot:
    """The place that an event's id says; `UnknownCursor` where it says none."""
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise UnknownCursor(f"{cursor[:80]!r} is no place in a log", hint="leave Last-Event-ID out", cursor=cursor[:80])
    return Spot(RunId(match[1]), int(match[2]), None if match[3] is None else int(match[3]))


class Piece(NamedTuple):
    data: bytes
    is_over: bool = False


class Printed:
    """Gives the log of the last attempt, or of `only`, and those of the attempts after it, in events."""

    def __init__(
        self,
        project: Project,
        task_id: TaskId,
        *,
        stderr: bool,
        only: RunId | None,
        start: Spot | None,
        tail: int | None,
    ) -> None:
        self._project, self._stderr, self._only, self._tail = project, stderr, only, tail
        self._record = Record(project, task_id)
        self._start = start
        self._current: _Reading | None = None
        self._done: RunId | None = None
        if start is not None and _numbered(self._record.now(), start.run_id) is None:
            raise UnknownCursor(f"{task_id} has no attempt {start.run_id}", hint=f"conductor-git show {task_id}")

    def look(self) -> Piece:
        """What there is now, up to about `PIECE_BYTES`; empty where there is nothing yet."""
        run = self._record.now()
        if self._current is None:
            follows = self._next(run)
            if follows is None:
                is_over = self._only is not None or not goes_on(run)
                return Piece(event("end", {"reason": "left", "state": str(run.state)}) if is_over else b"", is_over)
            return Piece(self._begin(*follows))
        is_last = has_ended(run, self._current.run_id)  # before the reading, so that nothing is missed
        data, is_all = self._current.read(is_last)
        return Piece(data + self._end(run, self._current.run_id) if is_all else data)

    def close(self) -> None:
        if self._current is not None:
            self._current.close()

    def _next(self, run: Run) -> tuple[int, Attempt] | None:
        if self._done is not None:
            return None if self._only else next_attempt(run, self._done)
        wanted = self._only or (self._start.run_id if self._start else None)
        return next_attempt(run, None) if wanted is None else _numbered(run, wanted)

    def _begin(self, number: int, attempt: Attempt) -> bytes:
        folder = self._project.layout.attempt(self._record.now().task_id, attempt.run_id)
        path = folder / ("stderr.log" if self._stderr else "stdout.log")
        start = self._start if self._start is not None and self._start.run_id == attempt.run_id else None
        self._current = _Reading(attempt.run_id, path, start, self._tail)
        self._start = self._tail = None
        return event("attempt", {"number": number, "run_id": attempt.run_id, "agent": attempt.agent})

    def _end(self, run: Run, run_id: RunId) -> bytes:
        numbered = _numbered(run, run_id)
        attempt = numbered[1] if numbered else None
        self.close()
        self._current, self._done = None, run_id
        end = str(attempt.end) if attempt and attempt.end else None
        code = attempt.exit_code if attempt else None
        return event("over", {"run_id": run_id, "end": end, "exit_code": code})


class _Reading:
    """The log of one attempt. The file is held on to: at the end one without secrets takes its place."""

    def __init__(self, run_id: RunId, path: Path, start: Spot | None, tail: int | None) -> None:
        self.run_id = run_id
        self._path, self._start, self._tail = path, start, tail
        self._fd: int | None = None
        self._inode = self._at = 0
        self._masking = Masking()

    def read(self, is_last: bool) -> tuple[bytes, bool]:
        """Events of what is there, their ids the places after them, and whether that is all that will ever come.

        With `is_last` also a line that has no end.
        """
        told = b""
        if self._fd is None:
            self._fd = opened(self._path)
            if self._fd is None:
                return b"", is_last
            told = self._placed(self._fd)
        while True:
            told += self._past_hole(self._fd)
            data = os.pread(self._fd, PIECE_BYTES, self._at)
            self._at += len(data)
            shown = self._masking.feed(data)
            told += self._event(shown if data or not is_last else shown + self._masking.rest())
            if told or not data:
                return told, is_last and not data

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def _placed(self, fd: int) -> bytes:
        """Go to where the client is; where that is a place of another file, begin anew, and say so."""
        status = os.fstat(fd)
        self._inode = status.st_ino
        if self._start is None:
            self._at = 0 if self._tail is None else tail_start(fd, self._tail)
            return b""
        if self._start.inode in (None, status.st_ino) and self._start.position <= status.st_size:
            self._at = self._start.position
            return b""
        return event("reset", {"run_id": self.run_id}, str(Spot(self.run_id, 0, self._inode)))

    def _past_hole(self, fd: int) -> bytes:
        """The middle of a log that has grown too large is taken out of it while it is written."""
        size = os.fstat(fd).st_size
        after = next((start for start, end in sparse.parts(fd, size) if end > self._at), size)
        if after <= self._at:
            return b""
        told = self._event(self._masking.rest())
        gone, self._at = after - self._at, after
        return told + event("gap", {"run_id": self.run_id, "bytes": gone}, self._cursor)

    def _event(self, shown: bytes) -> bytes:
        if not shown:
            return b""
        text = plain(shown.decode("utf-8", "replace"))
        return event("log", {"run_id": self.run_id, "text": text}, self._cursor)

    @property
    def _cursor(self) -> str:
        return str(Spot(self.run_id, self._at - self._masking.held, self._inode))


def _numbered(run: Run, run_id: RunId) -> tuple[int, Attempt] | None:
    found = enumerate(run.attempts, run.attempts_before + 1)
    return next(((number, attempt) for number, attempt in found if attempt.run_id == run_id), None)
