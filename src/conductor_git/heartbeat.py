"""The heartbeat: a file that is touched and never written, whose mtime is the last sign of life."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from conductor_git.layout import Layout
from conductor_git.names import TaskId

QUIET_SECONDS: Final = 600.0
_NUMBER_BYTES: Final = 64


def touch(layout: Layout, task_id: TaskId) -> None:
    """Set the beat to now. Costs no flush: a beat that a power cut takes back was of a process that is gone too."""
    _touch(layout.heartbeat(task_id))


def touch_activity(layout: Layout, task_id: TaskId, at: float | None = None) -> None:
    """Say that the agent did something `at` that time (None: just now); costs as little as a beat."""
    _touch(layout.activity(task_id), None if at is None else (at, at))


def move_activity(layout: Layout, task_id: TaskId, seconds: float, *, now: float) -> None:
    """Let the last activity have been `seconds` later, but not after `now`: the machine slept for that long."""
    last = last_activity(layout, task_id)
    if last is not None:
        touch_activity(layout, task_id, min(last + seconds, now))


def _touch(path: Path, times: tuple[float, float] | None = None) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.utime(fd, times)
    finally:
        os.close(fd)


def last_beat(layout: Layout, task_id: TaskId) -> float | None:
    """When the last beat was, in seconds since the epoch; None where there was none."""
    return _mtime(layout.heartbeat(task_id))


def last_activity(layout: Layout, task_id: TaskId) -> float | None:
    """When its agent last did anything that can be seen, as `last_beat`."""
    return _mtime(layout.activity(task_id))


def _mtime(path: Path) -> float | None:
    try:
        return path.lstat().st_mtime
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
