"""A store for a process that lives long: a record that has not changed since it was read is not read again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import is_
from threading import Lock
from typing import ClassVar, Final, NamedTuple

from conductor_git.errors import BadRecord, NotFound
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.store.files import FileRuns

_RECORD: Final = "run-info.yaml"
_SETTLED_NS: Final = 2_000_000_000
"""Of what changed less than this ago, another change may leave no trace: some file systems count in two seconds."""


class _Stamp(NamedTuple):
    inode: int
    changed_ns: int
    size: int


class _Known(NamedTuple):
    stamp: _Stamp
    found: Run | BadRecord


class _Whole:
    """All records as they were at the last look."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.found: dict[str, Run | BadRecord] | None = None
        self.sorted: tuple[Run | BadRecord, ...] = ()

    def keep(self, found: tuple[Run | BadRecord, ...]) -> tuple[Run | BadRecord, ...]:
        """`found`, or the tuple of the last look where that holds the very same."""
        if len(found) != len(self.sorted) or not all(map(is_, found, self.sorted)):
            self.sorted = found
        return self.sorted


@dataclass(frozen=True, slots=True)
class RememberingRuns(FileRuns):
    """As the store in files. Another inode, size or time of change tells of every change of a record that is older than
    two seconds; a younger one is read each time. Changes are made on what the file holds.

    Any thread may use it. It keeps the records of all tasks that are there.
    """

    changes: Callable[[], Collection[str] | None] | None = field(default=None, compare=False, repr=False)
    """Returns the tasks whose records may have changed since it was called last, None where that may be any; then only
    those are looked at by `scan`. It is called by one thread at a time."""
    _known: dict[str, _Known] = field(default_factory=dict, compare=False, repr=False)
    _whole: _Whole = field(default_factory=_Whole, compare=False, repr=False)

    is_quick: ClassVar[bool] = True

    def get(self, task_id: TaskId) -> Run:
        stamp = _stamp(os.fspath(self.layout.run_info(task_id)))
        found = self._looked_up(task_id, stamp) if stamp else FileRuns.get(self, task_id)
        if isinstance(found, BadRecord):
            raise found
        return found

    def scan(self) -> Iterator[Run | BadRecord]:
        return iter(self.whole())

    def whole(self) -> tuple[Run | BadRecord, ...]:
        whole = self._whole
        with whole.lock:
            found, whole.found = whole.found, None  # should anything fail, the next look is at all of them
            names = None if self.changes is None else self.changes()
            if names is None or found is None:
                found = {_name(one): one for one in self._looked_through()}
            else:
                # One that cannot be read may be mended in ways that are no change of it.
                bad = [name for name, one in found.items() if isinstance(one, BadRecord)]
                for name in {*names, *bad}:
                    self._look_again(found, TaskId(name))
                if not names and not bad:
                    whole.found = found
                    return whole.sorted
            whole.found = found
            return whole.keep(tuple(found[name] for name in sorted(found)))

    def _look_again(self, found: dict[str, Run | BadRecord], task_id: TaskId) -> None:
        self._known.pop(task_id, None)
        found.pop(task_id, None)
        if os.path.lexists(self.layout.run_info(task_id)):
            with suppress(NotFound):  # removed since
                found[task_id] = self._read(task_id)

    def _looked_through(self) -> Iterator[Run | BadRecord]:
        tasks = os.fspath(self.layout.tasks)
        names = sorted(_names(tasks))
        for gone in self._known.keys() - set(names):
            self._known.pop(gone, None)
        for name in names:
            stamp = _stamp(f"{tasks}/{name}/{_RECORD}")
            known = self._known.get(name)
            if known is not None and known.stamp == stamp:
                yield known.found
            elif stamp is not None:
                with suppress(NotFound):  # removed since
                    yield self._looked_up(TaskId(name), stamp)

    def _looked_up(self, task_id: TaskId, stamp: _Stamp) -> Run | BadRecord:
        known = self._known.get(task_id)
        if known is None or known.stamp != stamp:
            is_settled = stamp.changed_ns < time.time_ns() - _SETTLED_NS
            # The stamp is older than what is read: a change in between is seen at the next look.
            known = _Known(stamp, self._read(task_id))
            if is_settled:
                self._known[task_id] = known
        return known.found

    def _read(self, task_id: TaskId) -> Run | BadRecord:
        try:
            return FileRuns.get(self, task_id)
        except BadRecord as bad:
            return bad


def _name(found: Run | BadRecord) -> str:
    return found.task_id if isinstance(found, Run) else str(found.facts["task_id"])


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
    return _Stamp(status.st_ino, status.st_mtime_ns, status.st_size)
