"""status: what there is and how it is doing. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from conductor_git import history
from conductor_git.errors import BadRecord, ConductorError
from conductor_git.heartbeat import last_beat, quiet_after
from conductor_git.names import TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.workflow.looking.glimpse import Foreseen, glimpse
from conductor_git.workflow.looking.sift import LIVE, sift


class Health(StrEnum):
    """Derived from the process first and the heartbeat second, never stored."""

    ALIVE = "alive"
    SLOW = "slow"
    DEAD = "dead"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True)
class Row:
    """One worker as `status` shows it; what is None cannot be known, or nothing asks for it."""

    run: Run
    health: Health | None
    age_seconds: float
    tip: str | None = None
    """Where its branch is now."""
    target_tip: str | None = None
    ahead: int | None = None
    behind: int | None = None
    files: int | None = None
    foreseen: Foreseen | None = None
    """What its branch would run into."""
    position: int | None = None
    """Its place in the queue of its target, from 1."""
    unmet: tuple[TaskId, ...] = ()
    """The tasks that it needs and that neither have landed nor land before it."""


def status(
    project: Project, *, now: datetime, states: Collection[State] = (), everything: bool = False
) -> tuple[tuple[Row, ...], tuple[BadRecord, ...]]:
    """The tasks that are not final (with `everything`, all; with `states`, those), and the records that are bad.

    Costs a handful of git processes however many tasks there are.
    """
    wanted = frozenset(states) or frozenset(State if everything else LIVE)
    runs, bad = [], []
    for found in sift(project, wanted | LIVE):
        if isinstance(found, BadRecord):
            bad.append(found)
        else:
            runs.append(found)
    shown = [run for run in runs if run.state in wanted]
    return tuple(rows(project, shown, now, among=runs)), tuple(bad)


def rows(project: Project, runs: Sequence[Run], now: datetime, *, among: Sequence[Run] = ()) -> Iterator[Row]:
    """The rows of `runs`; `among` are all live tasks, which they queue and can collide with."""
    live = [run for run in runs if not run.state.is_final]
    tips = history.tips_of(project.git, (ref for run in [*live, *among] for ref in (run.branch_ref, run.target_ref)))
    pairs = {
        run.task_id: (tips[run.branch_ref], tips[run.target_ref])
        for run in live
        if run.branch_ref in tips and run.target_ref in tips
    }
    apart = history.apart(project.git, pairs.values())
    spans = {run.task_id: (run.base_commit, tips[run.branch_ref]) for run in live if run.branch_ref in tips}
    counts = history.changed_counts(project.git, spans.values())
    foreseen = glimpse(project, among, tips) if _can_meet(live, among, apart.values()) else {}
    queues = places(project, among)
    for run in runs:
        ahead, behind = apart.get(pairs.get(run.task_id, ("", "")), (None, None))
        position, unmet = queues.get(run.task_id, (None, ()))
        yield Row(
            run,
            health(project, run, now),
            max(0.0, (now - run.updated_at).total_seconds()),
            tips.get(run.branch_ref),
            tips.get(run.target_ref),
            ahead,
            behind,
            counts.get(spans.get(run.task_id, ("", ""))),
            foreseen.get(run.task_id),
            position,
            unmet,
        )


def _can_meet(live: Sequence[Run], among: Sequence[Run], apart: Iterable[tuple[int, int]]) -> bool:
    """Whether a branch can run into anything: another one, or something new on its target."""
    return bool(live) and (sum(not run.state.is_final for run in among) > 1 or any(behind for _, behind in apart))


def places(project: Project, live: Sequence[Run]) -> dict[TaskId, tuple[int | None, tuple[TaskId, ...]]]:
    """For each approved task among `live`, all that there are: its place in its queue, or what it waits for."""
    approved = [run for run in live if run.state is State.APPROVED]
    if not approved:
        return {}
    from conductor_git.landing import order

    known = [*live, *_needed(project, approved, {run.task_id for run in live})]
    found: dict[TaskId, tuple[int | None, tuple[TaskId, ...]]] = {}
    for target in order.targets(approved):
        queue = order.queue(known, target)
        found |= {run.task_id: (number, ()) for number, run in enumerate(queue.ready, 1)}
        found |= {waiting.run.task_id: (None, waiting.needs) for waiting in queue.waiting}
    return found


def _needed(project: Project, approved: Sequence[Run], known: set[TaskId]) -> Iterator[Run]:
    """What approved tasks need of those that have ended."""
    for task_id in {need for run in approved for need in run.needs} - known:
        try:
            yield project.runs.get(task_id)
        except ConductorError:
            continue  # it is not there or cannot be read, so nobody knows that it has landed


def health(project: Project, run: Run, now: datetime) -> Health | None:
    """How the worker is; None for a task that is final, where nothing is expected to live."""
    if run.state.is_final:
        return None
    attempt = run.last_attempt
    if attempt is None or attempt.ended_at is not None:
        return Health.DETACHED
    if attempt.process is None or not is_alive(attempt.process):
        # Its supervisor is about to put on record how it began, or how it ended.
        return Health.ALIVE if attempt.supervisor is not None and is_alive(attempt.supervisor) else Health.DEAD
    beat = last_beat(project.layout, run.task_id)
    quiet = now.timestamp() - beat if beat is not None else 0.0
    return Health.SLOW if quiet > quiet_after(project.layout) else Health.ALIVE
