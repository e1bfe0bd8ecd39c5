"""How a worker is doing: by its processes first, then by its supervisor's heartbeat, then by what it does."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from conductor_git.heartbeat import last_activity, last_beat, quiet_after
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Run


class Health(StrEnum):
    """Derived from processes, heartbeat and activity, in that order, and never stored."""

    ALIVE = "alive"
    SLOW = "slow"
    DEAD = "dead"
    DETACHED = "detached"


def health(project: Project, run: Run, now: datetime) -> Health | None:
    """How the worker is; None for a task that is final, where nothing is expected to live.

    A worker whose process is gone is dead, however fresh its heartbeat. One whose supervisor waits to start the next
    attempt is alive.
    """
    if run.state.is_final:
        return None
    attempt, supervised = run.last_attempt, is_supervised(run)
    if attempt is None or attempt.ended_at is not None:
        return Health.ALIVE if supervised else Health.DETACHED if run.supervision is None else Health.DEAD
    if attempt.process is None or not is_alive(attempt.process):
        # Its supervisor is about to put on record how it began, or how it ended.
        return Health.ALIVE if supervised else Health.DEAD
    seen = last_activity(project.layout, run.task_id)
    seen = last_beat(project.layout, run.task_id) if seen is None else seen
    quiet = 0.0 if seen is None else now.timestamp() - seen
    return Health.SLOW if quiet > quiet_after(project.layout) else Health.ALIVE


def is_supervised(run: Run) -> bool:
    """Whether the supervisor that is on record lives."""
    return run.supervision is not None and is_alive(run.supervision.process)
