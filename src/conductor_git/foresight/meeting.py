"""Which workers' changes can meet at all, told from the paths alone: a cheap sieve that lets no collision through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import combinations

from conductor_git.foresight.changed import Own
from conductor_git.names import TaskId

Meeting = tuple[TaskId, TaskId]
"""Two tasks, the smaller id first."""
_Where = Mapping[str, list[TaskId]]


def meetings(owns: Mapping[TaskId, Own]) -> tuple[Meeting, ...]:
    """The pairs that a merge could find in conflict, sorted.

    Two changes can conflict only where they touch the same path; where one touches a file whose name is a directory
    above the other's (`a` and `a/b`); or where one adds a file to a directory that the other took files out of and put
    files elsewhere, which git takes for a directory that was renamed.
    """
    found: set[Meeting] = set()
    touched = _where({task_id: own.paths for task_id, own in owns.items()})
    for there in touched.values():
        found.update(combinations(there, 2))
    emptied = _where(
        {
            task_id: {above for path in own.removed for above in _above(path)}
            for task_id, own in owns.items()
            if own.added
        }
    )
    for task_id, own in owns.items():
        for place in {above for path in own.paths for above in _above(path)}:
            found.update(_pairs(task_id, touched.get(place, [])))
        for place in {above for path in own.added for above in _above(path)}:
            found.update(_pairs(task_id, emptied.get(place, [])))
    return tuple(sorted(found))


def _where(places: Mapping[TaskId, frozenset[str] | set[str]]) -> _Where:
    """Place → the tasks that are there, sorted."""
    where: defaultdict[str, list[TaskId]] = defaultdict(list)
    for task_id in sorted(places):
        for place in places[task_id]:
            where[place].append(task_id)
    return where


def _above(path: str) -> Iterator[str]:
    """The directories that `path` is in, the top one left out."""
    end = path.find("/")
    while end != -1:
        yield path[:end]
        end = path.find("/", end + 1)


def _pairs(task_id: TaskId, others: list[TaskId]) -> Iterator[Meeting]:
    return ((min(task_id, other), max(task_id, other)) for other in others if other != task_id)
