"""Records that `gc` put into the archive: which there are, and the command that brings one back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from conductor_git.errors import NotFound
from conductor_git.layout import Layout
from conductor_git.names import TaskId


@dataclass(frozen=True, slots=True)
class Archived:
    """A record in the archive, and the command that unpacks it; it overwrites nothing and joins no other task."""

    task_id: TaskId
    path: Path
    back: str


def archived(layout: Layout) -> tuple[Archived, ...]:
    """Every record in the archive, by task and by age."""
    paths = sorted(layout.archived_tasks.glob("*.tar.gz"))
    named = [(TaskId(path.name.rsplit(".", 3)[0]), path) for path in paths]
    return tuple(Archived(task_id, path, unpacking(layout, task_id, path)) for task_id, path in named)


def unpacking(layout: Layout, task_id: TaskId, archive: Path) -> str:
    there, into = quote(str(layout.task(task_id))), quote(str(layout.state_dir))
    return f"test ! -e {there} && tar -xzkf {quote(str(archive))} -C {into}"


def unknown_task(layout: Layout, task_id: TaskId) -> NotFound:
    """There is no such task; where the last one of this name is in the archive, that and how it comes back."""
    last = next((one for one in reversed(archived(layout)) if one.task_id == task_id), None)
    if last is None:
        return NotFound(f"there is no task {task_id}", hint="conductor-git status --all", task_id=task_id)
    said = f"there is no task {task_id} any more: its record is in the archive, {last.path}"
    return NotFound(said, hint=last.back, task_id=task_id, archive=str(last.path))
