"""Who may give a verdict on a task, and under which name."""

from __future__ import annotations

import os

from conductor_git.actor import Actor
from conductor_git.errors import BadRecord, NotFound, SelfReview, WrongReviewer
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.review import is_same_reviewer
from conductor_git.run import TRANSITIONS, Event, Run, illegal
from conductor_git.transition import require_generation
from conductor_git.workflow.family.kin import family


def require_reviewer(project: Project, run: Run, by: Actor) -> Run | None:
    """The record of the reviewer's task that `by` speaks for; None for a person or the worker of an ordinary task.

    `SelfReview` for the worker of `run` and for those of its family, whatever name they give: by the worktree, by the
    environment, by the session their agent runs in. A worker's verdict stands under the id of its task and no other
    name, and a reviewer's task has one verdict, on the one task it was spawned for (`WrongReviewer`,
    `IllegalTransition`). Names are believed beyond that: who clears the environment, leaves the session and the
    worktree speaks as a person.
    """
    _refuse_own(project, run, by)
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


def refuse_own(project: Project, task_id: TaskId, by: Actor) -> None:
    """`SelfReview` where the worker of `task_id` is speaking: it neither reviews its work nor picks who does.

    Nor do the workers that spawned it, or that it spawned, or that one of them did: each could have asked another one
    for the verdict.
    """
    if by.speaker is None:
        return
    for member in _members(project, task_id):
        if by.is_worker_of(member):
            raise _self_review(task_id, member)


def _refuse_own(project: Project, run: Run, by: Actor) -> None:
    for member in _members(project, run.task_id):
        if by.is_worker_of(member) or is_same_reviewer(by.name, member) or _is_session_of(project, member):
            raise _self_review(run.task_id, member)


def _members(project: Project, task_id: TaskId) -> list[TaskId]:
    """The family of the task, itself first."""
    return [task_id, *sorted(family(project, task_id) - {task_id})]


def _self_review(task_id: TaskId, member: TaskId) -> SelfReview:
    whose = "its own work" if member == task_id else f"{task_id}, which is of its family"
    return SelfReview(
        f"the worker of {member} cannot review {whose}, nor choose who does",
        hint=f"conductor-git show {task_id}",
        task_id=task_id,
    )


def _is_session_of(project: Project, task_id: TaskId) -> bool:
    """Its agent was launched as the leader of a session, which its children stay in unless they make their own."""
    try:
        attempt = project.runs.get(task_id).last_attempt
    except (BadRecord, NotFound):
        return False  # of a relative; one bad record keeps nobody from another task
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
        why = f"{reviewer.task_id} is {reviewer.state}: a reviewer's task gives one verdict, while it is at work"
        raise illegal(reviewer, Event.REVIEWED, why)
    return reviewer


def require_work(run: Run, event: str) -> None:
    """Refuse what needs a branch of the task's own on one that has none: a reviewer's task brings a verdict."""
    if run.review_of is not None:
        why = f"{run.task_id} reviews {run.review_of}: its work is a verdict, and it has nothing to {event}"
        raise illegal(run, event, why, hint=f"conductor-git show {run.review_of}")
