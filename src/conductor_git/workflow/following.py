"""An attempt's log while its agent writes it: when there may be more, and what of it may be shown to people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import unheard
from conductor_git.bus.watching.watch import Watch
from conductor_git.environment import inherited
from conductor_git.errors import ConductorError, NotFound
from conductor_git.masking import REACH, mask_bytes, seam, secret_values
from conductor_git.names import RunId, TaskId, readable
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Run

LOOK_SECONDS: Final = 0.5
"""A write wakes us at once. So often we look besides, for a record that changed and for processes that are gone."""
_LONGEST: Final = 1 << 16


class Record:
    """The record of a task, read anew only where it has changed."""

    def __init__(self, project: Project, task_id: TaskId) -> None:
        self._project, self._task_id = project, task_id
        self._stamp: tuple[int, int] | None = None
        self._run = project.runs.get(task_id)

    def now(self) -> Run:
        """What it says by now; `NotFound` where it was taken away meanwhile. What cannot be read now is as it was."""
        try:
            status = self._project.layout.run_info(self._task_id).stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                self._run = self._project.runs.get(self._task_id)
                self._stamp = stamp
        except FileNotFoundError:
            self._run = self._project.runs.get(self._task_id)
        except NotFound:
            raise
        except (OSError, ConductorError):
            pass
        return self._run


def moments(record: Record, run_id: RunId, log: Path) -> Iterator[bool]:
    """The moments at which there may be more in an attempt's log, now being the first; True at the last of them.

    Nothing that was written before the attempt's end is missed at the last one.
    """
    with Watch(log, unheard) as watch:
        while True:
            watch.arm()
            is_last = has_ended(record.now(), run_id)
            yield is_last
            if is_last:
                return
            with Stop(LOOK_SECONDS) as stop:
                watch.wait(stop)


def has_ended(run: Run, run_id: RunId) -> bool:
    """Nothing will be added to the log: the end is on record, or nobody is left who could record it."""
    return all(
        attempt.ended_at is not None or not any(map(is_alive, filter(None, (attempt.process, attempt.supervisor))))
        for attempt in run.attempts
        if attempt.run_id == run_id
    )


def secrets() -> tuple[str, ...]:
    """What is masked besides all that looks like a provider's key. What only the agent was given is not known here."""
    return secret_values(inherited())


class Masking:
    """Bytes as they come, without secrets: a line is given out once it is whole, as a secret may be half there."""

    def __init__(self) -> None:
        self._secrets = secrets()
        self._held = bytearray()

    @property
    def held(self) -> int:
        """How many bytes wait for the rest of their line."""
        return len(self._held)

    def feed(self, data: bytes) -> bytes:
        """What can be shown now."""
        self._held += data
        cut = self._held.rfind(b"\n") + 1
        if not cut and len(self._held) > _LONGEST:
            cut, _ = seam(self._held, len(self._held) - REACH, self._secrets)
        return self._give(cut)

    def rest(self) -> bytes:
        """What is left, once nothing more comes."""
        return self._give(len(self._held))

    def _give(self, cut: int) -> bytes:
        data = bytes(self._held[:cut])
        del self._held[:cut]
        return mask_bytes(data, self._secrets)


def tail_start(fd: int, size: int) -> int:
    """Where the first whole line begins in the last `size` bytes of the file."""
    end = os.fstat(fd).st_size
    start = max(0, end - size)
    if start == 0:
        return 0
    before, newline, _ = os.pread(fd, size, start).partition(b"\n")
    return start + len(before) + 1 if newline else end


def shown_end(log: Path, size: int) -> str | None:
    """The whole lines in the last `size` bytes of the log, as a page shows them; None where there is none to open."""
    descriptor = opened(log)
    if descriptor is None:
        return None
    masking = Masking()
    with os.fdopen(descriptor, "rb") as file:
        file.seek(tail_start(descriptor, size))
        data = masking.feed(file.read(size)) + masking.rest()
    return readable(data.decode("utf-8", "surrogateescape"))


def opened(log: Path) -> int | None:
    """A descriptor of the log; None where it is not there yet, or no plain file."""
    try:
        return durable.open_regular(log, os.O_RDONLY)
    except (OSError, ConductorError):
        return None
