"""Who may give a verdict on a task, and under which name."""

from __future__ import annotations

import os

from conductor_git.actor import Actor
from conductor_git.errors import IllegalTransition, SelfReview, WrongReviewer
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.review import is_same_reviewer
from conductor_git.run import TRANSITIONS, Event, Run, next_command
from conductor_git.transition import require_generation


def require_reviewer(project: Project, run: Run, by: Actor) -> Run | None:
    """The record of the reviewer's task that `by` speaks for; None for a person or the worker of an ordinary task.

    `SelfReview` for the worker of `run`, whatever name it gives: by its worktree, by its environment, by the session
    its agent runs in. A worker's verdict stands under the id of its task and no other name, and a reviewer's task has
    one verdict, on the one task it was spawned for (`WrongReviewer`, `IllegalTransition`). Names are believed beyond
    that: who clears the environment, leaves the session and the worktree speaks as a person.
    """
    _refuse_own(run, by)
    if by.worker is None:
        _refuse_borrowed_name(project, run, by)
        return None
    if not is_same_reviewer(by.name, by.worker):
        raise WrongReviewer(
            f"this is the worker of {by.worker}, which reviews under that name and not as {by.name}",
            hint=f"conductor-git diff {run.task_id}",
            task_id=run.task_id,
            reviewer=by.name,
        )
    reviewer = project.runs.get(by.worker)
    require_generation(reviewer, by.generation)
    return _spawned_for(run, reviewer) if reviewer.review_of is not None else None


def refuse_own(task_id: TaskId, by: Actor) -> None:
    """`SelfReview` where the worker of `task_id` is speaking: it neither reviews its work nor picks who does."""
    if by.is_worker_of(task_id):
        raise _self_review(task_id)


def _refuse_own(run: Run, by: Actor) -> None:
    refuse_own(run.task_id, by)
    if is_same_reviewer(by.name, run.task_id) or _is_its_session(run):
        raise _self_review(run.task_id)


def _self_review(task_id: TaskId) -> SelfReview:
    return SelfReview(
        f"the worker of {task_id} cannot review its own work, nor choose who does",
        hint=f"conductor-git show {task_id}",
        task_id=task_id,
    )


def _is_its_session(run: Run) -> bool:
    """Its agent was launched as the leader of a session, which its children stay in unless they make their own."""
    attempt = run.last_attempt
    return attempt is not None and attempt.ended_at is None and attempt.pgid == os.getsid(0)


def _refuse_borrowed_name(project: Project, run: Run, by: Actor) -> None:
    for task_id in project.runs.task_ids():
        if is_same_reviewer(by.name, task_id) and project.runs.get(task_id).review_of == run.task_id:
            raise WrongReviewer(
                f"{task_id} is the reviewer's task of an agent, which gives its verdict itself",
                hint=f"conductor-git show {task_id}",
                task_id=run.task_id,
                reviewer=by.name,
            )


def _spawned_for(run: Run, reviewer: Run) -> Run:
    if reviewer.review_of != run.task_id:
        raise WrongReviewer(
            f"{reviewer.task_id} was spawned to review {reviewer.review_of}, and {run.task_id} is not its to judge",
            hint=f"conductor-git diff {reviewer.review_of}",
            task_id=run.task_id,
            reviewer=reviewer.task_id,
        )
    if (reviewer.state, Event.REVIEWED) not in TRANSITIONS:
        raise IllegalTransition(
            f"{reviewer.task_id} is {reviewer.state}: a reviewer's task gives one verdict, while it is at work",
            hint=next_command(reviewer),
            task_id=reviewer.task_id,
            state=str(reviewer.state),
            event=str(Event.REVIEWED),
        )
    return reviewer


def require_work(run: Run, event: str) -> None:
    """Refuse what needs a branch of the task's own on one that has none: a reviewer's task brings a verdict."""
    if run.review_of is not None:
        raise IllegalTransition(
            f"{run.task_id} reviews {run.review_of}: its work is a verdict, and it has nothing to {event}",
            hint=f"conductor-git show {run.review_of}",
            task_id=run.task_id,
            state=str(run.state),
            event=event,
        )
