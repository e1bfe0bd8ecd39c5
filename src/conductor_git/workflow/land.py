"""merge: put one approved commit on its target, exactly that commit, tested as merged, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Outcome, Run, State
from conductor_git.workflow.landing import cleanup
from conductor_git.workflow.landing.batch import Batch
from conductor_git.workflow.landing.candidate import require_approved
from conductor_git.workflow.landing.wish import Landed, Listener, Refused, Terms, Wish
from conductor_git.workflow.turn import turn


def land(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: Callable[[], datetime],
    wish: Wish | None = None,
    listener: Listener | None = None,
) -> Landed:
    """Land the approved commit of `task_id` on its target.

    Returns LANDED or ALREADY_LANDED; every other outcome is raised as its error, recorded first: `Conflict` and
    `GateFailed` send the task back to WORKING, `Blocked` leaves it APPROVED with nothing moved, `Superseded` sends it
    back to review. No checkout of a person changes, but for a fast-forward of one that has the target checked out.
    """
    wish, listener = wish or Wish(), listener or Listener()
    first = project.runs.get(task_id)
    if first.state is State.COMPLETED and first.review_of is None:
        return _landed_before(project, first, wish, at())
    require_approved(first)
    with (
        turn(project, first.target, task_id, wish=wish, listener=listener, at=at) as held,
        journal.operation(project.layout, task_id, "merge", seconds=wish.wait_seconds) as lock,
    ):
        terms = Terms(project.holding(held, lock), by, at, wish, listener)
        (result,) = Batch(terms, first.target).land([task_id])
    if isinstance(result, Refused):
        raise result.error
    return result


def _landed_before(project: Project, run: Run, wish: Wish, now: datetime) -> Landed:
    """Nothing to land; a worktree that an earlier landing was asked to leave is cleaned up now, unless again asked."""
    if not wish.cleanup or wish.dry_run or not Path(run.worktree).exists():
        return Landed(run, Outcome.ALREADY_LANDED)
    with journal.operation(project.layout, run.task_id, "merge") as held:
        fate = cleanup.clean_up(project.holding(held), run, at=now)
    return Landed(run, Outcome.ALREADY_LANDED, fate)
