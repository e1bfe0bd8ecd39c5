"""Which approved task lands next: what it needs first, then priority, then the time of its approval (no I/O)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from conductor_git.names import TaskId
from conductor_git.run import Event, Run, State


@dataclass(frozen=True, slots=True)
class Waiting:
    """An approved task that cannot land yet, and those of its `needs` that keep it."""

    run: Run
    needs: tuple[TaskId, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """The approved tasks of one target: those that can land, in that order, and those that wait for others."""

    ready: tuple[Run, ...]
    waiting: tuple[Waiting, ...]

    def place(self, task_id: TaskId) -> int | None:
        """Where `task_id` stands, from 1; None where it is not ready."""
        return next((number for number, run in enumerate(self.ready, 1) if run.task_id == task_id), None)


def queue(runs: Sequence[Run], target: str) -> Queue:
    """The queue of `target` out of all `runs` of the project, which are needed to know what has landed.

    The higher priority comes first, and of two the one that was approved first; a task that another one needs comes
    before that one, and so takes over its priority. Whoever needs a task that has neither landed nor can land before
    it waits; so do two that need each other.
    """
    known = {run.task_id: run for run in runs}
    approved = sorted((run for run in runs if run.state is State.APPROVED and run.target == target), key=_rank)
    able = _able(approved, known)
    waiting = [Waiting(run, unmet(run, known, able)) for run in approved if run.task_id not in able]
    return Queue(tuple(_with_needs_first(approved, able)), tuple(waiting))


def targets(runs: Sequence[Run]) -> tuple[str, ...]:
    """The targets that approved tasks are to land on."""
    return tuple(sorted({run.target for run in runs if run.state is State.APPROVED}))


def unmet(run: Run, known: Mapping[TaskId, Run], before: Mapping[TaskId, Run] | None = None) -> tuple[TaskId, ...]:
    """The needs of `run` that have not landed and are not among those that land `before` it."""
    return tuple(need for need in run.needs if need not in (before or {}) and not _has_landed(known.get(need)))


def approved_at(run: Run) -> datetime:
    """When `run` was approved last; when it was made, where it never was."""
    return next((step.at for step in reversed(run.history) if step.event is Event.APPROVE), run.created_at)


def _rank(run: Run) -> tuple[int, datetime, str]:
    return (-run.priority, approved_at(run), run.task_id)


def _has_landed(run: Run | None) -> bool:
    return run is not None and run.state is State.COMPLETED


def _able(approved: Sequence[Run], known: Mapping[TaskId, Run]) -> dict[TaskId, Run]:
    """Those that can land in this queue: grown from what needs nothing more, so what goes round in a circle is not."""
    able: dict[TaskId, Run] = {}
    left = list(approved)
    while found := [run for run in left if not unmet(run, known, able)]:
        able |= {run.task_id: run for run in found}
        left = [run for run in left if run.task_id not in able]
    return able


def _with_needs_first(approved: Sequence[Run], able: Mapping[TaskId, Run]) -> Sequence[Run]:
    placed: dict[TaskId, Run] = {}
    for run in approved:
        todo = [run] if run.task_id in able else []
        while todo:
            needed = [able[need] for need in todo[-1].needs if need in able and need not in placed]
            if needed:
                todo.append(min(needed, key=_rank))
            else:
                last = todo.pop()
                placed[last.task_id] = last
    return tuple(placed.values())
