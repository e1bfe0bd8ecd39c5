"""A store for a process that lives long: a record that has not changed since it was read is not read again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final, NamedTuple

from conductor_git.errors import BadRecord, NotFound
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.store.files import FileRuns

_RECORD: Final = "run-info.yaml"
_Stamp = tuple[int, int, int]


class _Known(NamedTuple):
    stamp: _Stamp
    found: Run | BadRecord


@dataclass(frozen=True, slots=True)
class RememberingRuns(FileRuns):
    """As the store in files. A record is replaced whole and never written in place, so that another inode, time of
    change or size tells of every change; it is looked at each time. Changes are made on what the file holds.

    Any thread may use it. It keeps the records of all tasks that are there.
    """

    _known: dict[TaskId, _Known] = field(default_factory=dict, compare=False, repr=False)

    is_quick: ClassVar[bool] = True

    def get(self, task_id: TaskId) -> Run:
        stamp = _stamp(os.fspath(self.layout.run_info(task_id)))
        found = self._looked_up(task_id, stamp) if stamp else FileRuns.get(self, task_id)
        if isinstance(found, BadRecord):
            raise found
        return found

    def scan(self) -> Iterator[Run | BadRecord]:
        tasks = os.fspath(self.layout.tasks)
        names = sorted(_names(tasks))
        for gone in self._known.keys() - set(names):
            self._known.pop(gone, None)
        for name in names:
            stamp = _stamp(f"{tasks}/{name}/{_RECORD}")
            if stamp is not None:
                with suppress(NotFound):  # removed since
                    yield self._looked_up(TaskId(name), stamp)

    def _looked_up(self, task_id: TaskId, stamp: _Stamp) -> Run | BadRecord:
        known = self._known.get(task_id)
        if known is None or known.stamp != stamp:
            # The stamp is older than what is read: a change in between is seen at the next look.
            known = self._known[task_id] = _Known(stamp, self._read(task_id))
        return known.found

    def _read(self, task_id: TaskId) -> Run | BadRecord:
        try:
            return FileRuns.get(self, task_id)
        except BadRecord as bad:
            return bad


def _names(tasks: str) -> list[str]:
    try:
        return os.listdir(tasks)  # noqa: PTH208 - ten times as quick
    except FileNotFoundError:
        return []


def _stamp(path: str) -> _Stamp | None:
    """What changes with every replacement; None where there is no record."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
