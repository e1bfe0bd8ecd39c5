"""status: what there is and how it is doing. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from conductor_git.errors import BadRecord
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.workflow.looking import spans as between
from conductor_git.workflow.looking.glimpse import Foreseen, glimpse, is_settled
from conductor_git.workflow.looking.health import Health, signs
from conductor_git.workflow.looking.sift import LIVE, sift
from conductor_git.workflow.looking.tips import tips as tips_of


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
    queue: tuple[TaskId, ...] = ()
    """That queue, where it has a place in it, in the order in which the tasks land."""
    unmet: tuple[TaskId, ...] = ()
    """The tasks that it needs and that neither have landed nor land before it."""
    supervised: bool = False
    """Whether a supervisor of ours looks after it."""

    @property
    def before(self) -> tuple[TaskId, ...]:
        """The tasks that land before it in its queue."""
        return self.queue[: (self.position or 1) - 1]


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
    tips = tips_of(project, (ref for run in [*live, *among] for ref in (run.branch_ref, run.target_ref)))
    pairs = {
        run.task_id: (tips[run.branch_ref], tips[run.target_ref])
        for run in live
        if run.branch_ref in tips and run.target_ref in tips
    }
    apart = between.apart(project.git, pairs.values())
    spans = {run.task_id: (run.base_commit, tips[run.branch_ref]) for run in live if run.branch_ref in tips}
    counts = between.changed_counts(project.git, spans.values())
    foreseen = glimpse(project, among, tips) if _can_meet(live, among, apart.values()) else {}
    places = _places(project, among)
    for run, seen in zip(runs, signs(project, runs, now), strict=True):
        age = max(0.0, (now - run.updated_at).total_seconds())
        if run.state.is_final:  # most are, and the rest is of those that are not
            yield Row(run, None, age, tips.get(run.branch_ref), tips.get(run.target_ref), supervised=seen.supervised)
            continue
        ahead, behind = apart.get(pairs.get(run.task_id, ("", "")), (None, None))
        yield Row(
            run,
            seen.health,
            age,
            tips.get(run.branch_ref),
            tips.get(run.target_ref),
            ahead,
            behind,
            counts.get(spans.get(run.task_id, ("", ""))),
            foreseen.get(run.task_id),
            *places.get(run.task_id, _Place()),
            supervised=seen.supervised,
        )


def is_lasting(project: Project, shown: Sequence[Row], among: Sequence[Run], tips: Mapping[str, str]) -> bool:
    """Whether `rows` tells the same as `shown` for as long as nothing changes but ages: no record, branch or sign.

    `tips` are of before `shown` was made.
    """
    live = [row for row in shown if not row.run.state.is_final]
    apart = [(row.ahead or 0, row.behind or 0) for row in live]
    return not _can_meet([row.run for row in live], among, apart) or is_settled(project, among, tips)


def _can_meet(live: Sequence[Run], among: Sequence[Run], apart: Iterable[tuple[int, int]]) -> bool:
    """Whether a branch can run into anything: another one, or something new on its target."""
    return bool(live) and (sum(not run.state.is_final for run in among) > 1 or any(behind for _, behind in apart))


class _Place(NamedTuple):
    """As the `Row` has it."""

    position: int | None = None
    queue: tuple[TaskId, ...] = ()
    unmet: tuple[TaskId, ...] = ()


def _places(project: Project, live: Sequence[Run]) -> dict[TaskId, _Place]:
    """The place of each approved task among `live`, which are all that there are."""
    if not any(run.state is State.APPROVED for run in live):
        return {}
    from conductor_git.workflow.looking.queues import queues

    found: dict[TaskId, _Place] = {}
    for queue in queues(project, live).values():
        ready = tuple(run.task_id for run in queue.ready)
        found |= {task_id: _Place(number, ready) for number, task_id in enumerate(ready, 1)}
        found |= {waiting.run.task_id: _Place(unmet=waiting.needs) for waiting in queue.waiting}
    return found
