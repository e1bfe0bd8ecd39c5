"""Starting a supervisor for a task, detached from whoever asked for it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from conductor_git import process
from conductor_git.environment import inherited
from conductor_git.errors import AgentFailed, BadInput
from conductor_git.project import Project
from conductor_git.run import Run

_START_SECONDS: Final = 20


def launch(project: Project, run: Run) -> Run:
    """Start the task's command under a supervisor of its own session and return once its attempt is on record.

    The supervisor outlives this process and its terminal. `AgentFailed` where the command is not to be found, or no
    attempt appears in time; the task and its worktree stay.
    """
    if not run.command:
        raise BadInput(f"{run.task_id} has no command to run", hint=f"conductor-git spawn {run.task_id} -- COMMAND")
    _require_command(run, inherited())
    log = project.layout.task(run.task_id) / "supervisor.log"
    place = [str(project.layout.common_dir), str(project.repository), run.task_id]
    process.detach(
        [sys.executable, "-m", "conductor_git.runner.supervise", *place],
        cwd=project.repository,
        environment=inherited(),
        log=log,
    )
    return _registered(project, run, log)


def _require_command(run: Run, variables: Mapping[str, str]) -> None:
    program = run.command[0]
    found = (
        Path(run.worktree, program).exists() if "/" in program else shutil.which(program, path=variables.get("PATH"))
    )
    if not found:
        raise AgentFailed(
            f"the agent's command {program!r} was not found",
            hint=f"command -v {program}",
            task_id=run.task_id,
            command=list(run.command),
        )


def _registered(project: Project, run: Run, log: Path) -> Run:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        now = project.runs.get(run.task_id)
        if len(now.attempts) > len(run.attempts) and (now.attempts[-1].pid or now.attempts[-1].end):
            return now
        time.sleep(0.02)
    raise AgentFailed(
        f"no attempt of {run.task_id} was on record after {_START_SECONDS} s",
        hint=f"cat {log}",
        task_id=run.task_id,
        log=str(log),
    )
