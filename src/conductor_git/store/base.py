"""The contract of a run store, which every backend keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from conductor_git.errors import BadRecord
from conductor_git.names import TaskId
from conductor_git.run import Run

Change = Callable[[Run], Run]
"""A pure change; called under the store's lock, so it does no I/O and may be called again."""


class RunStore(Protocol):
    def create(self, run: Run) -> Run:
        """Store a first record; `TaskExists` where there is one. Durable when it returns."""

    def get(self, task_id: TaskId) -> Run:
        """The record as last stored; `NotFound` or `BadRecord`."""

    def update(self, task_id: TaskId, change: Change) -> Run:
        """Apply `change` to the stored record and return what was stored, one revision higher.

        Durable when it returns; a crash leaves the old record or the new one. A change that returns its argument
        stores nothing.
        """

    def task_ids(self) -> tuple[TaskId, ...]:
        """Every task with a record, sorted."""

    def scan(self) -> Iterator[Run | BadRecord]:
        """Every record; one that cannot be read is yielded as its error and breaks no other."""
