"""The tasks that ended last, without reading the records of all that ever did."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from conductor_git.errors import ConductorError
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run


def recent(project: Project, most: int, wanted: Callable[[Run], bool]) -> tuple[Run, ...]:
    """Of the tasks that changed last, the first `most` that are `wanted`; what cannot be read is passed over."""
    found = (run for task_id in _newest_first(project) if (run := _read(project, task_id)) is not None)
    return tuple(islice(filter(wanted, found), most))


def _newest_first(project: Project) -> list[TaskId]:
    def changed(task_id: TaskId) -> float:
        try:
            return project.layout.run_info(task_id).lstat().st_mtime
        except OSError:
            return 0.0

    return sorted(project.runs.task_ids(), key=changed, reverse=True)


def _read(project: Project, task_id: TaskId) -> Run | None:
    try:
        return project.runs.get(task_id)
    except ConductorError:
        return None
