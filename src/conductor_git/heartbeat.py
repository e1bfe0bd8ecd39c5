"""The heartbeat: a file that is touched and never written, whose mtime is the last sign of life."""

from __future__ import annotations

import os

from conductor_git.layout import Layout
from conductor_git.names import TaskId


def touch(layout: Layout, task_id: TaskId) -> None:
    """Set the beat to now. Costs no flush: a beat that a power cut takes back was of a process that is gone too."""
    fd = os.open(layout.heartbeat(task_id), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.utime(fd)
    finally:
        os.close(fd)


def last_beat(layout: Layout, task_id: TaskId) -> float | None:
    """When the last beat was, in seconds since the epoch; None where there was none."""
    try:
        return layout.heartbeat(task_id).stat().st_mtime
    except OSError:
        return None
