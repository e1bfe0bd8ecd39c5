"""What is on record of a plan's tasks at this moment. Reads only; a record is read again when its file has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from conductor_git.config.plan import Policy
from conductor_git.errors import BadRecord, NotFound
from conductor_git.names import TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.review import Review
from conductor_git.run import Run, State
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.agent_review.naming import reviewer_id
from conductor_git.workflow.planning.actions import Action
from conductor_git.workflow.planning.facts import Facts
from conductor_git.workflow.planning.planned import Planned, PlannedTask

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks at the same tasks again and again."""

    project: Project
    planned: Planned
    since: datetime
    _known: dict[TaskId, tuple[_Stamp, Run | BadRecord]] = field(default_factory=dict)

    def facts(self, tried: Mapping[Action, str]) -> Facts:
        found = {task.task_id: self._record(task.task_id) for task in self.planned.tasks}
        runs = {task_id: run for task_id, run in found.items() if isinstance(run, Run) and self._is_ours(run)}
        outside = {need: self._record(need) for need in self.planned.outside}
        asking = [task for task in self.planned.tasks if task.approval.policy is Policy.QUORUM and task.task_id in runs]
        reviewers = {task.task_id: self._reviewers(task) for task in asking}
        own = {task_id: tuple(theirs) for task_id, (theirs, _) in reviewers.items()}
        everybody = [*runs.values(), *(run for theirs in own.values() for run in theirs)]
        return Facts(
            runs=runs,
            unusable={task_id: self._why(run) for task_id, run in found.items() if run and task_id not in runs},
            outside={need: run for need, run in outside.items() if isinstance(run, Run)},
            reviewers=own,
            next_review={task_id: next_id for task_id, (_, next_id) in reviewers.items()},
            reviews={run.task_id: self._reviews(run) for run in runs.values() if run.state is State.IN_REVIEW},
            alive=frozenset(run.task_id for run in everybody if run.supervision and is_alive(run.supervision.process)),
            since=self.since,
            tried=tried,
        )

    def _is_ours(self, run: Run) -> bool:
        return run.plan == self.planned.name

    def _why(self, found: Run | BadRecord) -> str:
        if isinstance(found, BadRecord):
            return found.message
        return "a task of that name was made meanwhile, and it is not of this plan"

    def _reviewers(self, task: PlannedTask) -> tuple[list[Run], TaskId]:
        """The reviewers' tasks of `task` that the plan has spawned, and the first id that is free for another."""
        found: list[Run] = []
        number = 1
        while (run := self._record(reviewer_id(task.task_id, number))) is not None:
            if isinstance(run, Run) and self._is_ours(run) and run.review_of == task.task_id:
                found.append(run)
            number += 1
        return found, reviewer_id(task.task_id, number)

    def _reviews(self, run: Run) -> tuple[Review, ...]:
        try:
            return FileReviews(self.project.layout).all(run.task_id)
        except BadRecord:
            return ()  # `show` says which; without it nothing is taken for approved

    def _record(self, task_id: TaskId) -> Run | BadRecord | None:
        stamp = self._stamp(task_id)
        if stamp is None:
            return None
        known = self._known.get(task_id)
        if known is not None and known[0] == stamp:
            return known[1]
        try:
            run: Run | BadRecord = self.project.runs.get(task_id)
        except NotFound:
            return None
        except BadRecord as bad:
            run = bad
        self._known[task_id] = (stamp, run)
        return run

    def _stamp(self, task_id: TaskId) -> _Stamp | None:
        """What changes with the record, which is replaced whole."""
        try:
            there = os.lstat(self.project.layout.run_info(task_id))
        except OSError:
            return None
        return there.st_ino, there.st_mtime_ns, there.st_size
