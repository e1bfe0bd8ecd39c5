"""start: a worker takes its task up."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.readiness import expects_setup
from conductor_git.run import Event, Run, State
from conductor_git.transition import move

if TYPE_CHECKING:  # a start without a setup does without it
    from conductor_git.runner.setup import Listener


def start(
    project: Project, task_id: TaskId, *, by: Actor, at: datetime, listening: Callable[[], Listener] | None = None
) -> Run:
    """ASSIGNED → WORKING. A setup that is still to run, as its spawn was killed or left it, runs first.

    Whoever is `listening` hears how it goes on.
    """
    run = project.runs.get(task_id)
    if run.state is State.ASSIGNED and expects_setup(project.layout, Path(run.worktree)):
        from conductor_git.runner.setup import DEAF, set_up

        set_up(project, run, listener=listening() if listening is not None else DEAF)
    with journal.operation(project.layout, task_id, "start"):
        return move(project, task_id, Event.START, at=at, by=by.name, generation=by.generation_for(task_id))
