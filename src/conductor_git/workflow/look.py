"""status and show: what there is, how it is doing, and what moves it. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from conductor_git import history
from conductor_git.errors import BadRecord
from conductor_git.heartbeat import last_beat
from conductor_git.names import TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.review import Review, approvals
from conductor_git.run import Event, Outcome, Run, State, next_command
from conductor_git.store.reviews import FileReviews

QUIET_SECONDS: Final = 600.0
"""A living agent that gave no sign for longer is `slow`; it is never killed for that."""

_WAITS_FOR: Final = {
    State.ASSIGNED: "its worker to start",
    State.WORKING: "its worker to hand in a commit",
    State.APPROVED: "the landing",
    State.COMPLETED: "nothing: it has landed",
}


class Health(StrEnum):
    """Derived from the process first and the heartbeat second, never stored."""

    ALIVE = "alive"
    SLOW = "slow"
    DEAD = "dead"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class Row:
    """One worker as `status` shows it; the counts are None where they cannot be known or nothing asks for them."""

    run: Run
    health: Health | None
    age_seconds: float
    ahead: int | None = None
    behind: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """All that `show` tells of one task."""

    row: Row
    reviews: tuple[Review, ...]
    waits_for: str
    next_command: str


def status(
    project: Project, *, now: datetime, states: Collection[State] = (), everything: bool = False
) -> tuple[tuple[Row, ...], tuple[BadRecord, ...]]:
    """The tasks that are not final (with `everything`, all; with `states`, those), and the records that are bad.

    Costs a handful of git processes however many tasks there are.
    """
    runs, bad = [], []
    for found in project.runs.scan():
        if isinstance(found, BadRecord):
            bad.append(found)
        elif found.state in states if states else everything or not found.state.is_final:
            runs.append(found)
    return tuple(rows(project, runs, now)), tuple(bad)


def rows(project: Project, runs: Sequence[Run], now: datetime) -> Iterator[Row]:
    live = [run for run in runs if not run.state.is_final]
    tips = history.tips_of(project.git, (ref for run in live for ref in (run.branch_ref, run.target_ref)))
    pairs = {
        run.task_id: (tips[run.branch_ref], tips[run.target_ref])
        for run in live
        if run.branch_ref in tips and run.target_ref in tips
    }
    apart = history.apart(project.git, pairs.values())
    spans = {run.task_id: (run.base_commit, tips[run.branch_ref]) for run in live if run.branch_ref in tips}
    counts = history.changed_counts(project.git, spans.values())
    for run in runs:
        ahead, behind = apart.get(pairs.get(run.task_id, ("", "")), (None, None))
        files = counts.get(spans.get(run.task_id, ("", "")))
        age = max(0.0, (now - run.updated_at).total_seconds())
        yield Row(run, health(project, run, now), age, ahead, behind, files)


def health(project: Project, run: Run, now: datetime) -> Health | None:
    """How the worker is; None for a task that is final, where nothing is expected to live."""
    if run.state.is_final:
        return None
    attempt = run.last_attempt
    if attempt is None or attempt.ended_at is not None:
        return Health.DETACHED
    if attempt.process is None or not is_alive(attempt.process):
        return Health.DEAD
    beat = last_beat(project.layout, run.task_id)
    quiet = now.timestamp() - beat if beat is not None else 0.0
    return Health.SLOW if quiet > QUIET_SECONDS else Health.ALIVE


def show(project: Project, task_id: TaskId, *, now: datetime) -> Shown:
    """One task: its record, its reviews, why it stands where it stands, and what moves it."""
    run = project.runs.get(task_id)
    reviews = FileReviews(project.layout).all(task_id)
    (row,) = rows(project, [run], now)
    return Shown(row, reviews, _waits_for(row, reviews), next_command(run))


def _waits_for(row: Row, reviews: Sequence[Review]) -> str:
    run = row.run
    if run.state is State.WORKING and row.health is Health.DEAD:
        return "a person: its agent is gone without handing anything in"
    if run.state is State.WORKING and run.history[-1].event is Event.BOUNCE and run.landing is not None:
        return f"its worker to mend the {run.landing.outcome}" + _in_files(run.landing.files)
    if run.state is State.IN_REVIEW:
        have = len(approvals(reviews, run.head_commit)) if run.head_commit else 0
        return f"reviewers: {have} of {run.reviews_required} approvals"
    if run.state is State.APPROVED and run.landing is not None and run.landing.files:
        return f"the landing, last {Outcome.BLOCKED}" + _in_files(run.landing.files)
    return _WAITS_FOR.get(run.state) or f"nothing: {run.reason or 'no reason was given'}"


def _in_files(files: Sequence[str]) -> str:
    return f" in {', '.join(files[:5])}" if files else ""
