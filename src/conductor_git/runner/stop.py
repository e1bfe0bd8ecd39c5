"""stop: an agent and everything it started end now, and the record says so."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Final

from conductor_git import process
from conductor_git.names import TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Attempt, Run
from conductor_git.transition import message_of, note

GRACE_SECONDS: Final = 5.0
"""Between TERM and KILL."""


def end_attempt(project: Project, task_id: TaskId, *, at: datetime) -> bool:
    """End the task's running attempt with its whole process group; False where none was running.

    A living supervisor is told, ends its loop first and then the agent, and records it. Where it is gone, this does
    the same in its place. Returns when the end is on record and nothing of the attempt is alive.
    """
    attempt = running(project.runs.get(task_id))
    if attempt is None:
        return False
    if attempt.supervisor and is_alive(attempt.supervisor):
        process.terminate(attempt.supervisor)
        _wait_for_record(project, task_id, attempt)
    if running(project.runs.get(task_id)) is not None:
        _end_ourselves(project, task_id, attempt, at)
    return True


def running(run: Run) -> Attempt | None:
    """The attempt that has no recorded end."""
    attempt = run.last_attempt
    return attempt if attempt and attempt.ended_at is None else None


def _wait_for_record(project: Project, task_id: TaskId, attempt: Attempt) -> None:
    deadline = time.monotonic() + 2 * GRACE_SECONDS + 5
    while time.monotonic() < deadline:
        if running(project.runs.get(task_id)) is None:
            return
        if attempt.supervisor is None or not is_alive(attempt.supervisor):
            return
        time.sleep(0.02)


def _end_ourselves(project: Project, task_id: TaskId, attempt: Attempt, at: datetime) -> None:
    if attempt.supervisor and is_alive(attempt.supervisor):
        process.kill(attempt.supervisor)
    process.end_group(attempt.pgid or 0, attempt.run_id, grace=GRACE_SECONDS, leader=attempt.process)
    ended = replace(attempt, ended_at=at, end="stopped")
    run = note(project, task_id, lambda now: with_attempt(now, ended), at=at)
    project.bus.append(message_of(run, "RUN_STOP", f"{attempt.agent} was stopped", {"end": "stopped"}, attempt.run_id))


def with_attempt(run: Run, attempt: Attempt) -> Run:
    """`run` with `attempt` in the place of the one with its run id, or added."""
    others = [known for known in run.attempts if known.run_id != attempt.run_id]
    return replace(run, attempts=(*others, attempt))
