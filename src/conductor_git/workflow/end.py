"""cancel and fail: a task ends without landing; its branch and worktree stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import TRANSITIONS, Event, Run, advance
from conductor_git.runner.setup import end_setup
from conductor_git.runner.stop import end_attempt
from conductor_git.transition import move, require_generation
from conductor_git.workflow.family.own import require_own


def cancel(project: Project, task_id: TaskId, *, by: Actor, at: datetime, why: str | None = None) -> Run:
    """End the task because it is not wanted any more. A running agent is stopped first."""
    return _end(project, task_id, Event.CANCEL, by, at, why)


def fail(project: Project, task_id: TaskId, *, by: Actor, at: datetime, why: str | None = None) -> Run:
    """End the task because it could not be done. An agent that says so about itself is left to finish its words."""
    return _end(project, task_id, Event.FAIL, by, at, why)


def _end(project: Project, task_id: TaskId, event: Event, by: Actor, at: datetime, why: str | None) -> Run:
    run = project.runs.get(task_id)
    if (run.state, event) not in TRANSITIONS:
        advance(run, event, at=at, by=by.name)
    require_generation(run, by.generation_for(task_id))
    require_own(project, run, by, str(event))
    if by.worker != task_id:
        end_attempt(project, task_id, at=at)
    with journal.operation(project.layout, task_id, str(event)):
        ended = move(
            project,
            task_id,
            event,
            at=at,
            by=by.name,
            note=why,
            generation=by.generation_for(task_id),
            also=lambda now: replace(now, reason=why),
        )
    end_setup(project, ended)
    return ended
