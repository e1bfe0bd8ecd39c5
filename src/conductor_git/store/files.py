"""Run records as `tasks/<task_id>/run-info.yaml`: a side lock, replaced whole, fsynced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Final

from conductor_git import durable, strictyaml
from conductor_git.errors import BadRecord, NotFound, TaskExists, TooLarge, UnsafePath
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.record import BadField, from_tree, to_tree
from conductor_git.run import Run
from conductor_git.store.archived import unknown_task
from conductor_git.store.base import Change

MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FileRuns:
    layout: Layout
    lock_seconds: float = 10

    is_quick: ClassVar[bool] = False
    """Whether reading a record costs about as much as a look at its file."""

    def create(self, run: Run) -> Run:
        path = self.layout.run_info(run.task_id)
        # Before its lock, which makes directories too, and need not flush them.
        durable.make_directory(path.parent)
        with durable.lock(_lock_of(path), seconds=self.lock_seconds, purpose="create"):
            if path.exists():
                raise TaskExists(
                    f"task {run.task_id} exists already", hint=f"conductor-git show {run.task_id}", task_id=run.task_id
                )
            durable.replace(path, encode(run))
        return run

    def get(self, task_id: TaskId) -> Run:
        return read(self.layout, task_id)

    def update(self, task_id: TaskId, change: Change) -> Run:
        # The lock is a side file, because run-info.yaml is replaced at every write and a lock on it would guard an
        # inode that is gone.
        path = self.layout.run_info(task_id)
        if not path.parent.is_dir():
            raise unknown_task(self.layout, task_id)
        with durable.lock(_lock_of(path), seconds=self.lock_seconds, purpose="update"):
            before = read(self.layout, task_id)
            after = change(before)
            if after is before:
                return before
            after = replace(after, revision=before.revision + 1)
            durable.replace(path, encode(after))
        return after

    def task_ids(self) -> tuple[TaskId, ...]:
        try:
            names = sorted(entry.name for entry in self.layout.tasks.iterdir())
        except FileNotFoundError:
            return ()
        return tuple(TaskId(name) for name in names if self.layout.run_info(TaskId(name)).is_file())

    def scan(self) -> Iterator[Run | BadRecord]:
        for task_id in self.task_ids():
            try:
                yield self.get(task_id)
            except BadRecord as bad:
                yield bad
            except NotFound:
                continue  # removed since the listing

    def whole(self) -> tuple[Run | BadRecord, ...]:
        """As `scan`, all at once. Of a store that is quick it is the same tuple only if no record changed meanwhile."""
        return tuple(self.scan())


def _lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def encode(run: Run) -> bytes:
    data = strictyaml.write(to_tree(run))
    if len(data) > MAX_BYTES:
        raise TooLarge(
            f"the record of {run.task_id} would be {len(data)} bytes, and {MAX_BYTES} is the limit",
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
        )
    return data


def read(layout: Layout, task_id: TaskId) -> Run:
    path = layout.run_info(task_id)
    try:
        run = from_tree(_tree(layout, path, task_id))
    except BadField as bad:
        raise _bad(path, task_id, str(bad)) from bad
    if run.task_id != task_id:
        raise _bad(path, task_id, f"`task_id` is {run.task_id}, and the folder says {task_id}")
    return run


def _tree(layout: Layout, path: Path, task_id: TaskId) -> Any:
    try:
        return strictyaml.read(durable.read_regular(path, MAX_BYTES), limit=MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError) as missing:
        raise unknown_task(layout, task_id) from missing
    except strictyaml.BadYaml as bad:
        raise _bad(path, task_id, f"line {bad.line}, column {bad.column}: {bad.reason}") from bad
    except (OSError, TooLarge, UnsafePath) as unreadable:
        raise _bad(path, task_id, str(unreadable)) from unreadable


def _bad(path: Path, task_id: TaskId, reason: str) -> BadRecord:
    return BadRecord(
        f"the record of {task_id} cannot be read: {path}: {reason}",
        hint=f"conductor-git bus read --task {task_id}",
        task_id=task_id,
        path=str(path),
        reason=reason,
    )
