"""own: whose task a worker may speak for."""

from __future__ import annotations

from conductor_git.actor import Actor
from conductor_git.errors import WrongWorker
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.family.kin import ancestors


def require_own(project: Project, run: Run, by: Actor, verb: str) -> None:
    """A person speaks for anybody's work, a worker for its own and that of its sub-tasks (`WrongWorker`)."""
    if by.worker in (None, run.task_id) or by.worker in ancestors(project, run.task_id):
        return
    raise WrongWorker(
        f"this is the worker of {by.worker}, which cannot {verb} {run.task_id}",
        hint=f"conductor-git show {by.worker}",
        task_id=run.task_id,
        worker=by.worker,
    )
