"""show: one task with all that is known of it, and why it stands where it stands. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conductor_git.errors import BadRecord
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.review import Review
from conductor_git.run import Run
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.explain import explain
from conductor_git.workflow.explaining import found
from conductor_git.workflow.explaining.facts import Explanation, Facts, Need
from conductor_git.workflow.family.kin import children
from conductor_git.workflow.look import Row, rows
from conductor_git.workflow.looking.sift import live


@dataclass(frozen=True, slots=True)
class Shown:
    """All that `show` tells of one task."""

    row: Row
    facts: Facts
    explanation: Explanation
    evidence: dict[str, Any] | None
    """What the last landing was put on its target for, as it is on the disk."""
    children: tuple[Run, ...] = ()
    """The sub-tasks that its worker spawned."""


def show(project: Project, task_id: TaskId, *, now: datetime) -> Shown:
    """One task: its record, its reviews, why it stands where it stands, and what moves it.

    `BadRecord` where its record cannot be read; anything else that cannot be looked at is told as such.
    """
    run = project.runs.get(task_id)
    (row,) = rows(project, [run], now, among=() if run.state.is_final else live(project))
    facts = _facts(project, row, now)
    return Shown(row, facts, explain(facts), found.evidence(project, run), children(project, task_id))


def _facts(project: Project, row: Row, now: datetime) -> Facts:
    run, foreseen = row.run, row.foreseen
    reviews, unreadable = _reviews(project, run.review_of or run.task_id)
    tip = row.tip if not run.state.is_final else found.tip(project, run)
    return Facts(
        run=run,
        now=now,
        health=row.health,
        supervised=row.supervised,
        ahead=row.ahead,
        behind=row.behind,
        tip=tip,
        target_tip=row.target_tip,
        tree=found.tree(project, row, tip),
        last_beat=found.last_beat(project, run, now),
        reviews=reviews,
        unreadable=unreadable,
        judged=found.judged(project, run),
        reviewers=found.reviewers(project, run),
        person=found.person(project, run, reviews),
        needs=_needs(project, run),
        position=row.position,
        ahead_in_queue=row.before,
        unmet=row.unmet,
        landing=found.landing(project, run),
        was_foreseen=foreseen is not None,
        target_files=foreseen.target_files if foreseen else (),
        collides=foreseen.others if foreseen else (),
        log=found.log(project, run),
        in_the_way=found.in_the_way(project, run, row.target_tip),
        push=found.push_refused(project, run),
        question=found.question(project, row),
    )


def _reviews(project: Project, task_id: TaskId) -> tuple[tuple[Review, ...], str]:
    try:
        return FileReviews(project.layout).all(task_id), ""
    except BadRecord as bad:
        return (), bad.message


def _needs(project: Project, run: Run) -> tuple[Need, ...]:
    if run.state.is_final:
        return ()
    return tuple(need for need in (found.need(project, task_id) for task_id in run.needs) if need is not None)
