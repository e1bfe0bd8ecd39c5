"""start: a worker takes its task up."""

from __future__ import annotations

from datetime import datetime

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Event, Run
from conductor_git.transition import move


def start(project: Project, task_id: TaskId, *, by: Actor, at: datetime) -> Run:
    """ASSIGNED → WORKING."""
    project.runs.get(task_id)
    with journal.operation(project.layout, task_id, "start"):
        return move(project, task_id, Event.START, at=at, by=by.name, generation=by.generation_for(task_id))
