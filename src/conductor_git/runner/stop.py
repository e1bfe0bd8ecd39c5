"""stop: an agent and everything it started end now, nothing starts another, and the record says so."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Final

from conductor_git import durable, process
from conductor_git.names import TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import KEPT_ATTEMPTS, UNCOUNTED, Attempt, End, ProcessId, Run
from conductor_git.runner import logs
from conductor_git.transition import message_of, note

GRACE_SECONDS: Final = 5.0
"""Between TERM and KILL."""
_APPEARS_SECONDS: Final = 5.0
"""A supervisor that has begun is on record by then."""
_ENDS_SECONDS: Final = 2 * GRACE_SECONDS + 5


def end_attempt(project: Project, task_id: TaskId, *, at: datetime) -> bool:
    """End the task's supervisor, and its running attempt with its whole process group; False where there was neither.

    A living supervisor is told, starts nothing more, ends the agent and records it; so it does while it waits for
    something too. Where it is gone, this does the same in its place. Returns when the end is on record and nothing of
    the attempt is alive. A supervisor that one of its own agents asks to end is told, and not waited for.
    """
    supervisor = _supervisor(project, task_id)
    attempt = running(project.runs.get(task_id))
    if supervisor is not None:
        process.terminate(supervisor)
        if not process.is_ancestor(supervisor):
            _wait_until_gone(project, task_id, supervisor)
    if not is_supervised(project, task_id):
        end_left(project, task_id, at=at)
    return supervisor is not None or attempt is not None


def end_left(project: Project, task_id: TaskId, *, at: datetime) -> None:
    """End the attempt that has no recorded end, and record it: for whoever does it in its supervisor's place."""
    left = running(project.runs.get(task_id))
    if left is not None:
        _end_ourselves(project, task_id, left, at)


def running(run: Run) -> Attempt | None:
    """The attempt that has no recorded end."""
    attempt = run.last_attempt
    return attempt if attempt and attempt.ended_at is None else None


def is_supervised(project: Project, task_id: TaskId) -> bool:
    """Whether a supervisor of the task lives: it holds a lock for as long as it does."""
    return durable.is_locked(project.layout.supervisor_lock(task_id))


def _supervisor(project: Project, task_id: TaskId) -> ProcessId | None:
    """The living supervisor; one that has just begun is waited for until it is on record."""
    deadline = time.monotonic() + _APPEARS_SECONDS
    while is_supervised(project, task_id):
        supervision = project.runs.get(task_id).supervision
        if supervision is not None and is_alive(supervision.process):
            return supervision.process
        if time.monotonic() >= deadline:
            break
        time.sleep(0.02)
    return None


def _wait_until_gone(project: Project, task_id: TaskId, supervisor: ProcessId) -> None:
    deadline = time.monotonic() + _ENDS_SECONDS
    while is_supervised(project, task_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    if is_supervised(project, task_id):
        process.kill(supervisor)
        process.wait_gone({supervisor}, GRACE_SECONDS)


def _end_ourselves(project: Project, task_id: TaskId, attempt: Attempt, at: datetime) -> None:
    process.end_group(attempt.pgid or 0, attempt.run_id, grace=GRACE_SECONDS, leader=attempt.process)
    logs.seal_all(project.layout.attempt(task_id, attempt.run_id))
    ended, ours = replace(attempt, ended_at=at, end=End.STOPPED), False

    def end(now: Run) -> Run:
        nonlocal ours
        left = running(now)
        ours = left is not None and left.run_id == attempt.run_id  # else somebody else was told to stop it too
        return replace(with_attempt(now, ended), supervision=None) if ours else now

    run = note(project, task_id, end, at=at)
    if not ours:
        return
    project.bus.append(message_of(run, "RUN_STOP", f"{attempt.agent} was stopped", {"end": "stopped"}, attempt.run_id))


def with_attempt(run: Run, attempt: Attempt) -> Run:
    """`run` with `attempt` in the place of the one with its run id, or added; an old one makes room for it."""
    known = [other.run_id for other in run.attempts]
    if attempt.run_id in known:
        attempts = tuple(attempt if other.run_id == attempt.run_id else other for other in run.attempts)
    else:
        attempts = (*run.attempts, attempt)
    if len(attempts) <= KEPT_ATTEMPTS:
        return replace(run, attempts=attempts)
    # Those that count for nothing go first, so that those that count are all there to be counted.
    dropped = next((other for other in attempts if other.end in UNCOUNTED), attempts[0])
    kept = tuple(other for other in attempts if other is not dropped)
    return replace(run, attempts=kept, attempts_before=run.attempts_before + 1)
