"""What follows from a verdict: finished after a kill, and the worktree of a reviewer's task taken away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import journal
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.review import Review, Verdict
from conductor_git.run import Event, Run, State
from conductor_git.salvage.keep import Salvage
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.landing import cleanup
from conductor_git.workflow.review import complete_reviewer, take_effect, told

MENDED: Final = ("approve", "request-changes", "reviewed")
"""The verbs of the operations that `mend` finishes."""


def mend(project: Project, run: Run, at: datetime) -> None:
    """For recovery: a verdict on record that was not told, or moved nothing, does. Safe to repeat.

    Each of the two tasks of an agent's review is mended by itself, with its own lock held, in either order.
    """
    if run.review_of is not None:
        _mend_reviewer(project, run, at)
        return
    reviews = FileReviews(project.layout).all(run.task_id)
    if not reviews:
        return
    last = reviews[-1]
    messages = project.bus.tail(1, types=("REVIEW",), task_id=run.task_id)
    if not messages or int(messages[-1].meta.get("number", "0")) < last.number:
        project.bus.append(told(run, last))
    if _moved_nothing(run, reviews):
        take_effect(project, run, last, at)


def _moved_nothing(run: Run, reviews: Sequence[Review]) -> bool:
    """The last review is of the commit in review and has not had its effect: each request for changes is one step.

    An approval that is older than the last step was given on an earlier hand-in of the same commit.
    """
    last = reviews[-1]
    if run.state not in (State.IN_REVIEW, State.APPROVED) or last.commit != run.head_commit:
        return False
    if last.verdict is Verdict.APPROVE:
        return last.at >= run.history[-1].at
    asked = sum(review.verdict is Verdict.REQUEST_CHANGES for review in reviews)
    return asked > sum(step.event is Event.REQUEST_CHANGES for step in run.history)


def _mend_reviewer(project: Project, run: Run, at: datetime) -> None:
    assert run.review_of is not None
    if run.state in (State.ASSIGNED, State.WORKING):
        reviews = FileReviews(project.layout).all(run.review_of)
        mine = [review for review in reviews if review.reviewer == run.task_id and review.commit == run.base_commit]
        if not mine:
            return
        run = complete_reviewer(project, run.task_id, mine[-1], at)
    _clear(project, run, at)


def clear_away(project: Project, task_id: TaskId, *, at: datetime) -> Salvage | None:
    """Remove the worktree of a reviewer's task that has given its verdict; what no commit holds is salvaged first.

    Leaves it where the task goes on, or its agent does.
    """
    with journal.operation(project.layout, task_id, "reviewed") as held:
        return _clear(project.holding(held), project.runs.get(task_id), at)


def _clear(project: Project, run: Run, at: datetime) -> Salvage | None:
    attempt = run.last_attempt
    is_at_work = attempt is None or attempt.ended_at is None
    if run.review_of is None or run.state is not State.COMPLETED or is_at_work or not Path(run.worktree).exists():
        return None
    return cleanup.remove_worktree(project, run, at=at)
