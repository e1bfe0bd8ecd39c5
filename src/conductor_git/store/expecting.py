"""A store for one change that was meant for a certain revision of a record: at any other it is refused, not merged."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Event

from conductor_git.errors import StaleRevision
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.store.base import Change
from conductor_git.store.files import FileRuns


@dataclass(frozen=True, slots=True)
class ExpectingRuns(FileRuns):
    """As the store of the project, and refuses to read or change `task_id` while it is at none of `revisions`.

    A verb reads the record again once it holds the task's lock, so that what another verb changed in between is seen
    before anything is done. What this store itself has changed is its own to go on with.
    """

    task_id: TaskId | None = None
    revisions: frozenset[int] = frozenset()
    _changed: Event = field(default_factory=Event)

    def get(self, task_id: TaskId) -> Run:
        run = FileRuns.get(self, task_id)
        self._require(run)
        return run

    def update(self, task_id: TaskId, change: Change) -> Run:
        def checked(run: Run) -> Run:
            self._require(run)
            return change(run)

        run = FileRuns.update(self, task_id, checked)
        if task_id == self.task_id:
            self._changed.set()
        return run

    def _require(self, run: Run) -> None:
        if run.task_id == self.task_id and not self._changed.is_set():
            require_revision(run, self.revisions)


def require_revision(run: Run, revisions: Collection[int]) -> None:
    """`StaleRevision` where the record is at none of `revisions`."""
    if run.revision not in revisions:
        raise StaleRevision(
            f"{run.task_id} is at revision {run.revision}, and the change was meant for another one",
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
            expected=sorted(revisions),
            revision=run.revision,
        )
