"""The suggested landing order: what gets in whose way least goes first (no I/O)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from conductor_git.names import TaskId
from conductor_git.run import Run, State

_RANK: Final[Mapping[State, int]] = {State.APPROVED: 0, State.IN_REVIEW: 1, State.WORKING: 2, State.ASSIGNED: 3}


def landing_order(
    runs: Sequence[Run], colliding: Iterable[tuple[TaskId, TaskId]], against_target: Collection[TaskId]
) -> tuple[TaskId, ...]:
    """All of `runs`, greedily: of those whose live needs are placed, the one that collides with the fewest still left.

    One that conflicts with its target comes after all that do not. Ties are broken by state (approved, in review,
    working, assigned), by the higher priority, and by the task id. Tasks that need each other in a circle come last.
    """
    left = {run.task_id: run for run in runs}
    meets: dict[TaskId, set[TaskId]] = {task_id: set() for task_id in left}
    for one, other in colliding:
        meets[one].add(other)
        meets[other].add(one)
    placed: list[TaskId] = []
    while left:
        free = [run for run in left.values() if not any(need in left for need in run.needs)] or list(left.values())
        first = min(free, key=lambda run: (run.task_id in against_target, len(meets[run.task_id]), *_rank(run)))
        placed.append(first.task_id)
        del left[first.task_id]
        for other in meets.pop(first.task_id):
            meets[other].discard(first.task_id)
    return tuple(placed)


def _rank(run: Run) -> tuple[int, int, str]:
    return _RANK.get(run.state, len(_RANK)), -run.priority, run.task_id
