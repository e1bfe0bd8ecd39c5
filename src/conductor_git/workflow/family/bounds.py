"""bounds: how many sub-tasks a worker may spawn, and how deep. They keep agents that spawn agents from going on for
ever; they are counted in the records, and so no answer to an agent that means harm: it runs as the same user.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from conductor_git import durable
from conductor_git.actor import Actor
from conductor_git.errors import FamilyLimit
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Event, Run, illegal
from conductor_git.settings import project_config
from conductor_git.transition import require_generation
from conductor_git.wording import counted
from conductor_git.workflow.family.kin import ancestors, children, children_ids

_SECONDS: Final = 120
"""Spawns of one worker follow one another; each takes as long as git needs for a worktree."""


def require_parent(project: Project, parent: TaskId) -> Run:
    """The task whose worker may spawn one more sub-task, or why it may not: `FamilyLimit`, `IllegalTransition`."""
    run, limits = _able(project, parent), project_config(project).limits
    depth = len(ancestors(project, parent)) + 1
    if depth > limits.depth:
        raise _refused(
            parent,
            "limits.depth",
            f"a sub-task of {parent} would stand {counted(depth, 'level')} deep, and `limits.depth` of the config is "
            f"{limits.depth}",
        )
    _require_room(project, run, limits.children)
    return run


@contextmanager
def room(project: Project, parent: TaskId | None, *, by: Actor, at: datetime) -> Iterator[datetime]:
    """Around the making of a task: where it is a sub-task, it is one of at most `limits.children` of its parent's.

    Those count that the parent spawned in its generation, ended ones too, so that a loop ends. One spawn of the
    parent follows another, so that no two take the same place. Yields when the task is made: `at`, though never before
    the generation began that it counts for, whatever the clock says. Nothing is held where there is no parent.
    """
    if parent is None:
        yield at
        return
    with durable.lock(project.layout.family_lock(parent), seconds=_SECONDS, purpose="spawn"):
        run = _able(project, parent)
        require_generation(run, by.generation_for(parent))
        _require_room(project, run, project_config(project).limits.children)
        yield max(at, _began(run))


def _able(project: Project, parent: TaskId) -> Run:
    run = project.runs.get(parent)
    if run.review_of is not None:
        said = f"{parent} reviews {run.review_of}: its work is a verdict, and it spawns no sub-tasks"
        raise _refused(parent, "review_of", said)
    if run.state.is_final:
        raise illegal(run, "spawn", f"{parent} is {run.state}, and a task that has ended spawns no sub-tasks")
    return run


def _require_room(project: Project, parent: Run, most: int) -> None:
    began = _began(parent)
    earlier = {run.task_id for run in children(project, parent.task_id) if run.created_at < began}
    spawned = [task_id for task_id in children_ids(project, parent.task_id) if task_id not in earlier]
    if len(spawned) >= most:
        raise _refused(
            parent.task_id,
            "limits.children",
            f"{parent.task_id} has spawned {counted(len(spawned), 'sub-task')}, and `limits.children` of the config is "
            f"{most}",
        )


def _began(run: Run) -> datetime:
    """When the generation of the task began."""
    starts = (step.at for step in reversed(run.history) if step.event in (Event.SPAWN, Event.RETRY))
    return next(starts, run.created_at)


def _refused(parent: TaskId, limit: str, message: str) -> FamilyLimit:
    return FamilyLimit(message, hint=f"conductor-git show {parent}", parent_task_id=parent, limit=limit)
