"""Starting a supervisor for a task, detached from whoever asked for it."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from conductor_git import process
from conductor_git.environment import inherited, variable
from conductor_git.errors import AgentFailed, BadInput
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run

_START_SECONDS: Final = 20
_SUPERVISED: Final = "conductor_git.runner.supervise"
_ATTENDED: Final = "conductor_git.workflow.agent_review.attend"
"""For a reviewer's task: supervised, and its worktree removed after its verdict."""


def launch(project: Project, run: Run) -> Run:
    """Start the task's command under a supervisor of its own session and return once its attempt is on record.

    The supervisor outlives this process and its terminal. `AgentFailed` where the command could not be
    started or no attempt appears in time; the task and its worktree stay.
    """
    if not run.command:
        raise BadInput(f"{run.task_id} has no command to run", hint=f"conductor-git spawn {run.task_id} -- COMMAND")
    log = project.layout.task(run.task_id) / "supervisor.log"
    place = [str(project.layout.common_dir), str(project.repository), run.task_id]
    process.detach(
        [sys.executable, "-m", _ATTENDED if run.review_of else _SUPERVISED, *place],
        cwd=project.repository,
        environment=inherited(),
        log=log,
    )
    return _registered(project, run, log)


def require_command(task_id: TaskId, command: Sequence[str]) -> None:
    """Refuse a command whose program is not to be found, before anything is made for it.

    A path relative to the worktree cannot be looked up before that is there; the supervisor finds out.
    """
    if not command or ("/" in command[0] and not command[0].startswith("/")):
        return
    if shutil.which(command[0], path=variable("PATH")) is None:
        raise AgentFailed(
            f"the agent's command {command[0]!r} was not found, or is not executable",
            hint=f"command -v {shlex.quote(command[0])}",
            task_id=task_id,
            command=list(command),
        )


def _unstartable(run: Run) -> AgentFailed:
    return AgentFailed(
        f"the agent's command {run.command[0]!r} could not be started in {run.worktree}, so {run.task_id} has failed",
        hint=f"conductor-git bus read --task {run.task_id} --type ERROR",
        task_id=run.task_id,
        command=list(run.command),
    )


def _registered(project: Project, run: Run, log: Path) -> Run:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        now = project.runs.get(run.task_id)
        attempt = now.last_attempt
        if attempt is not None and len(now.attempts) > len(run.attempts):
            if attempt.end == "unstartable":
                raise _unstartable(now)
            if attempt.pid or attempt.end:
                return now
        time.sleep(0.02)
    raise AgentFailed(
        f"no attempt of {run.task_id} was on record after {_START_SECONDS} s",
        hint=f"cat {shlex.quote(str(log))}",
        task_id=run.task_id,
        log=str(log),
    )
