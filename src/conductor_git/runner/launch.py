"""Starting a supervisor for a task, detached from whoever asked for it."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import Final

from conductor_git import process
from conductor_git.errors import AgentFailed, BadInput
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Doing, ProcessId, Run, State
from conductor_git.runner.environment import supervisor_environment
from conductor_git.runner.stop import running

_START_SECONDS: Final = 30
_SUPERVISOR: Final = "conductor_git.workflow.attend"
"""The program that a supervisor is; above us, because a prompt tells what only workflows know."""


def launch(project: Project, run: Run) -> Run:
    """Start a supervisor of its own session for the task; return once what it does is on record.

    That is an attempt under way or over, or a wait: for a place among the workers, for a provider. It outlives this
    process and its terminal. `AgentFailed` where no agent could be started, or nothing is on record in time; the task
    and its worktree stay.
    """
    if not run.has_agent:
        raise BadInput(f"{run.task_id} has no agent to launch", hint=f"conductor-git spawn {run.task_id} --agent NAME")
    log = project.layout.task(run.task_id) / "supervisor.log"
    place = [str(project.layout.common_dir), str(project.repository), run.task_id]
    supervisor = process.detach(
        # Safe path: nothing that lies in the repository is imported in the place of what we import.
        [sys.executable, "-P", "-m", _SUPERVISOR, *place],
        cwd=project.repository,
        environment=supervisor_environment(),
        log=log,
    )
    return _registered(project, run, supervisor, log)


def _registered(project: Project, before: Run, supervisor: ProcessId, log: Path) -> Run:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        lives = is_alive(supervisor)
        now = project.runs.get(before.task_id)
        if _could_not_start(now, before):
            raise _failed(now)
        if _is_told(now, before, supervisor):
            return now
        if not lives:
            break
        time.sleep(0.02)
    now = project.runs.get(before.task_id)
    if _is_told(now, before, supervisor) or (not is_alive(supervisor) and not log.stat().st_size):
        return now  # somebody else supervises it, or it was over at once
    why = f"said nothing for {_START_SECONDS} s" if is_alive(supervisor) else "ended before it had begun"
    raise AgentFailed(
        f"the supervisor of {before.task_id} {why}",
        hint=f"cat {shlex.quote(str(log))}",
        task_id=before.task_id,
        log=str(log),
    )


def _could_not_start(now: Run, before: Run) -> bool:
    """Whether it failed without an agent that ran; one that fails its task by itself was started."""
    new = [attempt for attempt in now.attempts if attempt.run_id not in {known.run_id for known in before.attempts}]
    has_failed = now.state is State.FAILED and before.state is not State.FAILED
    return has_failed and all(attempt.pid is None for attempt in new)


def _is_told(now: Run, before: Run, supervisor: ProcessId) -> bool:
    """Whether what our supervisor does can be seen in the record."""
    attempt = now.last_attempt
    is_new = attempt is not None and (not before.attempts or attempt.run_id != before.attempts[-1].run_id)
    if attempt is not None and is_new and (attempt.pid is not None):
        return True
    if now.supervision is None or now.supervision.process != supervisor:
        return False
    waits = now.supervision.doing is not Doing.ATTEMPT
    adopted = not is_new and (left := running(now)) is not None and left.supervisor == supervisor
    return waits or adopted


def _failed(run: Run) -> AgentFailed:
    return AgentFailed(
        f"{run.task_id} has failed: {run.reason}",
        hint=f"conductor-git bus read --task {run.task_id} --type ERROR --type RUN_CRASH",
        task_id=run.task_id,
        command=list(run.command),
    )
