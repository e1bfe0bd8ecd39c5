"""The heartbeat: a file that is touched and never written, whose mtime is the last sign of life."""

from __future__ import annotations

import os
from typing import Final

from conductor_git.layout import Layout
from conductor_git.names import TaskId

QUIET_SECONDS: Final = 600.0
_NUMBER_BYTES: Final = 64


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
        return layout.heartbeat(task_id).lstat().st_mtime
    except OSError:
        return None


def remember_quiet(layout: Layout, seconds: float) -> None:
    """Keep what the config says of `limits.quiet_after`, for those who look and do not read the config for it."""
    if seconds != quiet_after(layout):
        from conductor_git import durable

        durable.write_through(layout.quiet_after, repr(seconds).encode())


def quiet_after(layout: Layout) -> float:
    """For how many seconds a living agent may give no sign before it counts as slow; it is never killed for that."""
    try:
        with layout.quiet_after.open("rb") as file:
            return float(file.read(_NUMBER_BYTES))
    except (OSError, ValueError):
        return QUIET_SECONDS
