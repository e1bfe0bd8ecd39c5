"""resume: a task whose worker is to go on gets a supervisor again, which adopts an agent that still lives."""

from __future__ import annotations

from shlex import quote

from conductor_git.errors import BadInput
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State, illegal
from conductor_git.runner.calling import require_usable
from conductor_git.runner.launch import launch
from conductor_git.runner.stop import is_supervised, running
from conductor_git.settings import project_config


def resume(project: Project, task_id: TaskId) -> tuple[Run, bool]:
    """Give the task a supervisor where it has none; returns it, and whether one was started.

    For a task that is its worker's: ASSIGNED or WORKING; and for any other whose last attempt nobody saw end, which is
    ended and put on record. `IllegalTransition` elsewhere, `BadInput` where it has no agent, `AgentFailed` where none
    of its agents can be launched here; nothing is changed then. Any number of these at once start one supervisor.
    """
    run = project.runs.get(task_id)
    if is_supervised(project, task_id):
        return run, False
    left = running(run)
    if left is None and run.state not in (State.ASSIGNED, State.WORKING):
        raise illegal(run, "resume", f"{task_id} is {run.state}: there is nothing for an agent to go on with")
    if not run.has_agent:
        raise BadInput(
            f"{task_id} was spawned without an agent, so there is none to start again",
            hint=f"cd {quote(run.worktree)} && conductor-git ctx",
            task_id=task_id,
        )
    config = project_config(project)
    if left is None:
        require_usable(config, task_id, [run.agent or "", *run.fallbacks], run.command)
    return launch(project, run), True
