"""tree: in which order tasks are listed so that each stands below the one whose worker spawned it (no I/O)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conductor_git.names import TaskId


def tree(parents: Mapping[TaskId, TaskId | None]) -> Iterator[tuple[TaskId, int]]:
    """Every task of `parents` once, with how deep it stands; siblings by name.

    At the top stand those whose parent is not among them. Of tasks that are each other's parents, as a record that was
    edited by hand can say, the first by name stands there.
    """
    below: dict[TaskId | None, list[TaskId]] = {}
    for task_id in sorted(parents, reverse=True):
        parent = parents[task_id]
        below.setdefault(parent if parent in parents else None, []).append(task_id)
    seen = set[TaskId]()
    for start in [*reversed(below.get(None, [])), *sorted(parents)]:
        todo = [(start, 0)]
        while todo:
            task_id, depth = todo.pop()
            if task_id not in seen:
                seen.add(task_id)
                yield task_id, depth
                todo += [(child, depth + 1) for child in below.get(task_id, ())]
