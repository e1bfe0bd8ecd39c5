"""How a worker is doing: by its processes first, then by its supervisor's heartbeat, then by what it does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from conductor_git.heartbeat import last_activity, last_beat, quiet_after
from conductor_git.layout import Layout
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Run


class Health(StrEnum):
    """Derived from processes, heartbeat and activity, in that order, and never stored."""

    ALIVE = "alive"
    SLOW = "slow"
    DEAD = "dead"
    DETACHED = "detached"


class Signs(NamedTuple):
    """What is seen of a task at this moment and stands in no record."""

    health: Health | None
    """How the worker is; None for a task that is final, where nothing is expected to live."""
    supervised: bool
    """Whether the supervisor that is on record lives."""


def signs(project: Project, runs: Iterable[Run], now: datetime) -> tuple[Signs, ...]:
    """Those of each of `runs`.

    A worker whose process is gone is dead, however fresh its heartbeat. One whose supervisor waits to start the next
    attempt is alive.
    """
    quiet, moment = quiet_after(project.layout), now.timestamp()
    return tuple(_signs(project.layout, run, moment, quiet) for run in runs)


def _signs(layout: Layout, run: Run, now: float, quiet: float) -> Signs:
    supervised = run.supervision is not None and is_alive(run.supervision.process)
    return Signs(None if run.state.is_final else _health(layout, run, now, quiet, supervised=supervised), supervised)


def _health(layout: Layout, run: Run, now: float, quiet: float, *, supervised: bool) -> Health:
    attempt = run.last_attempt
    if attempt is None or attempt.ended_at is not None:
        return Health.ALIVE if supervised else Health.DETACHED if run.supervision is None else Health.DEAD
    if attempt.process is None or not is_alive(attempt.process):
        # Its supervisor is about to put on record how it began, or how it ended.
        return Health.ALIVE if supervised else Health.DEAD
    seen = last_activity(layout, run.task_id)
    seen = last_beat(layout, run.task_id) if seen is None else seen
    return Health.ALIVE if seen is None or now - seen <= quiet else Health.SLOW
