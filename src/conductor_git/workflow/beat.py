"""heartbeat: a worker says that it is alive. On the hot path: no YAML, no git, no model tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from conductor_git.actor import Actor
from conductor_git.errors import StaleGeneration
from conductor_git.heartbeat import touch, touch_activity
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.workflow.looking.glance import glance

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus


def require_current(layout: Layout, task_id: TaskId, by: Actor) -> None:
    """Refuse a worker whose task was retried since: it cannot speak for its successor."""
    current = int(glance(layout, task_id, "generation") or 1)
    claimed = by.generation_for(task_id)
    if claimed is not None and claimed < current:
        raise StaleGeneration(
            f"this worktree is of generation {claimed} of {task_id}, which was retried since: it is at {current}",
            hint=f"conductor-git show {task_id}",
            task_id=task_id,
            generation=current,
        )


def beat(
    layout: Layout, bus: Callable[[], Bus], task_id: TaskId, *, by: Actor, project_id: str, note: str | None = None
) -> None:
    """Set the mtime of the task's heartbeat file to now; with a note, post it as PROGRESS on `bus()` too.

    The file is touched and never written, so a beat costs no flush. The record is only searched for its generation.
    """
    require_current(layout, task_id, by)
    touch(layout, task_id)
    touch_activity(layout, task_id)
    if note:
        from conductor_git.message import Message

        bus().append(Message(type="PROGRESS", body=note, project_id=project_id, task_id=task_id))
