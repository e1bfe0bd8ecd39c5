"""What a plan means in its project: each task with its agents, what it comes after, and who approves it (no I/O)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from conductor_git.config.plan import Approval
from conductor_git.names import TaskId


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One task, with everything settled that the plan or the config left open."""

    task_id: TaskId
    prompt: str
    title: str | None
    agents: tuple[str, ...]
    """The one that it gets, and those that take over where it cannot be used."""
    target: str
    approval: Approval
    reviewers: tuple[str, ...]
    """The agents that may be asked for a verdict, in this order; its author never is."""
    reviews_required: int
    needs: tuple[TaskId, ...] = ()
    stage: str | None = None
    earlier: tuple[TaskId, ...] = ()
    """The tasks of the stages before its own."""
    priority: int = 0

    @property
    def before(self) -> tuple[TaskId, ...]:
        """What has to have landed before it starts."""
        return tuple(dict.fromkeys((*self.needs, *self.earlier)))


@dataclass(frozen=True, slots=True)
class Planned:
    """A whole plan, in the order of its document."""

    name: str
    tasks: tuple[PlannedTask, ...]
    workers: int
    """So many of its agents run at once."""
    rounds: int
    """So often a task goes back to its worker by itself; after that a person decides."""
    fail_fast: bool = False
    stages: tuple[str, ...] = ()

    @property
    def by_id(self) -> Mapping[TaskId, PlannedTask]:
        return {task.task_id: task for task in self.tasks}

    @property
    def outside(self) -> tuple[TaskId, ...]:
        """What its tasks need that is no task of it."""
        own = self.by_id
        return tuple(dict.fromkeys(need for task in self.tasks for need in task.needs if need not in own))


def waves(planned: Planned) -> list[list[PlannedTask]]:
    """The tasks by when they can start at the earliest: those of each list come after some of the list before."""
    depth: dict[TaskId, int] = {}
    for task in in_order(planned):
        depth[task.task_id] = 1 + max((depth.get(need, -1) for need in task.before), default=-1)
    found: list[list[PlannedTask]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for task in planned.tasks:
        found[depth[task.task_id]].append(task)
    return found


def in_order(planned: Planned) -> Iterator[PlannedTask]:
    """The tasks, each after all that it comes after; there is no cycle in a plan that was validated."""
    own, placed = planned.by_id, set[TaskId]()
    for first in planned.tasks:
        todo = [first]
        while todo:
            missing = [own[need] for need in todo[-1].before if need in own and need not in placed]
            if missing:
                todo.append(missing[0])
            else:
                task = todo.pop()
                if task.task_id not in placed:
                    placed.add(task.task_id)
                    yield task


def cycles(edges: Mapping[TaskId, Sequence[TaskId]]) -> list[list[TaskId]]:
    """One cycle of each knot of tasks that come after one another, its first task named again at its end."""
    found: list[list[TaskId]] = []
    done: set[TaskId] = set()
    for start in edges:
        path: list[TaskId] = []
        branches = [iter([start])]
        while branches:
            task = next(branches[-1], None)
            if task is None:
                branches.pop()
                done.update(path[-1:])
                path = path[:-1]
            elif task in path:
                found.append([*path[path.index(task) :], task])
                done.update(path)
            elif task in edges and task not in done:
                path.append(task)
                branches.append(iter(edges[task]))
    return found
