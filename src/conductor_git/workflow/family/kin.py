"""kin: which task's worker spawned which, as the records say. Costs a glance at a record, and no YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conductor_git.errors import BadRecord, ConductorError, NotFound
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.looking.glance import glance


def ancestors(project: Project, task_id: TaskId) -> tuple[TaskId, ...]:
    """The task whose worker spawned this one, the one above that, and so on, the nearest first.

    As far as the records can be read, and no task twice: a record that was edited by hand may name anything.
    """
    found: list[TaskId] = []
    above = _parent(project, task_id)
    while above is not None and above not in (task_id, *found):
        found.append(above)
        above = _parent(project, above)
    return tuple(found)


def family(project: Project, task_id: TaskId) -> frozenset[TaskId]:
    """The task with all its ancestors, and with everything that the first of these and its descendants spawned."""
    first = next(reversed(ancestors(project, task_id)), task_id)
    return frozenset({first, *_below(first, _parents(project))})


def children(project: Project, task_id: TaskId) -> tuple[Run, ...]:
    """The tasks that the worker of `task_id` spawned, by name; without those whose record cannot be read."""
    found = (_read(project, child) for child in children_ids(project, task_id))
    return tuple(run for run in found if run is not None)


def children_ids(project: Project, task_id: TaskId) -> tuple[TaskId, ...]:
    """As `children`, by their names alone, whatever else their records hold."""
    return tuple(child for child, parent in _parents(project).items() if parent == task_id)


def _parents(project: Project) -> dict[TaskId, TaskId]:
    """Sub-task → the task whose worker spawned it, of all that there are."""
    said = ((task_id, _parent(project, task_id)) for task_id in project.runs.task_ids())
    return {task_id: parent for task_id, parent in said if parent is not None}


def _parent(project: Project, task_id: TaskId) -> TaskId | None:
    try:
        said = glance(project.layout, task_id, "parent_task_id")
        return parse_task_id(said) if said else None
    except (ConductorError, OSError):
        return None


def _below(task_id: TaskId, parents: Mapping[TaskId, TaskId]) -> Iterator[TaskId]:
    todo, seen = [task_id], {task_id}
    while todo:
        above = todo.pop()
        found = [child for child, parent in parents.items() if parent == above and child not in seen]
        seen.update(found)
        todo += found
        yield from found


def _read(project: Project, task_id: TaskId) -> Run | None:
    try:
        return project.runs.get(task_id)
    except (BadRecord, NotFound):
        return None
