"""What is on record of a plan's tasks, as the runner sees it at one moment (no I/O)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from conductor_git.names import TaskId
from conductor_git.review import Review
from conductor_git.run import End, Event, Run, State, has_handed_in
from conductor_git.workflow.planning.actions import Action

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Stands(StrEnum):
    """Where a task of a plan stands, for those who wait for the plan."""

    PENDING = "pending"
    """It starts by itself, once what it comes after has landed and there is a place."""
    AT_WORK = "at work"
    REVIEWING = "in review by agents"
    LANDING = "landing"
    WAITING = "waiting"
    """For a person."""
    HELD = "held"
    """Not started: what it comes after waits for a person."""
    NEVER = "not started"
    """It cannot start, by what became of others."""
    LANDED = "landed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def goes_on(self) -> bool:
        """Something is about to happen to it without a person."""
        return self in (Stands.PENDING, Stands.AT_WORK, Stands.REVIEWING, Stands.LANDING)


@dataclass(frozen=True, slots=True)
class Facts:
    """`runs` are the records of the plan's tasks, `reviewers` those of the tasks that review them."""

    runs: Mapping[TaskId, Run] = field(default_factory=dict)
    unusable: Mapping[TaskId, str] = field(default_factory=dict)
    """Why a task cannot be gone on with: its record cannot be read, or is that of another task of the same name."""
    outside: Mapping[TaskId, Run] = field(default_factory=dict)
    """What the plan's tasks need and is no task of it."""
    reviewers: Mapping[TaskId, tuple[Run, ...]] = field(default_factory=dict)
    next_review: Mapping[TaskId, TaskId] = field(default_factory=dict)
    """The first free id for a reviewer's task of each task."""
    reviews: Mapping[TaskId, tuple[Review, ...]] = field(default_factory=dict)
    """Of the tasks in review."""
    alive: frozenset[TaskId] = frozenset()
    """The tasks, reviewers' too, that have a living supervisor."""
    since: datetime = _NEVER
    """When this runner began: what was stopped before goes on, and what is stopped from then on stays so."""
    tried: Mapping[Action, str] = field(default_factory=dict)
    """What this runner has done before, and why it came to nothing where it did."""

    def reviewers_of(self, task_id: TaskId) -> tuple[Run, ...]:
        return self.reviewers.get(task_id, ())

    @property
    def all_runs(self) -> tuple[Run, ...]:
        return (*self.runs.values(), *(run for runs in self.reviewers.values() for run in runs))

    def is_busy(self, run: Run) -> bool:
        """Whether an agent of the task takes one of the plan's places; a supervisor that only tidies up does not."""
        attempt = run.last_attempt
        is_live = run.state in (State.ASSIGNED, State.WORKING)
        return run.task_id in self.alive and (is_live or (attempt is not None and attempt.ended_at is None))


def attempts_of(run: Run) -> int:
    return run.attempts_before + len(run.attempts)


def rounds_of(run: Run) -> int:
    """How often the task went back to its worker since it was started, or started again."""
    count = 0
    for step in reversed(run.history):
        if step.event in (Event.SPAWN, Event.RETRY):
            break
        count += step.event in (Event.REQUEST_CHANGES, Event.BOUNCE)
    return count


def stopped_at(run: Run) -> datetime | None:
    """When somebody stopped its supervisor, where it has been worked on and has not moved since; None otherwise.

    One that ends by itself leaves no task that is still its worker's, and one that is killed leaves word of itself.
    """
    attempt = run.last_attempt
    if run.supervision is not None or attempt is None or attempt.ended_at is None:
        return None
    is_moved = run.history[-1].at > attempt.ended_at
    if is_moved or (attempt.end is not End.STOPPED and has_handed_in(run, attempt)):
        return None
    return run.updated_at
