"""Who gives a command: a person or script from outside, or the worker of a task from inside its worktree (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from conductor_git.names import TaskId


class Actor(NamedTuple):
    """`name` is what history and reviews keep. `worker` and `generation` are set where the context says so."""

    name: str
    worker: TaskId | None = None
    generation: int | None = None
    also: tuple[TaskId, ...] = ()
    """Other workers whose worktree or environment the command was given from; their work it cannot review either."""

    @property
    def speaker(self) -> TaskId | None:
        """The task whose worker speaks, its environment asked first; None for a coordinator."""
        return next(iter(self.also), self.worker)

    def is_worker_of(self, task_id: TaskId) -> bool:
        """Whether anything says that the worker of `task_id` is speaking."""
        return task_id == self.worker or task_id in self.also

    def generation_for(self, task_id: TaskId) -> int | None:
        """The generation this actor claims to speak for, if it is the task's own worker."""
        return self.generation if self.worker == task_id else None


COORDINATOR = Actor("coordinator")


def worker(task_id: TaskId, generation: int, variables: Mapping[str, str]) -> Actor:
    """The worker whose context says `task_id` and `generation`.

    An agent keeps the generation it was launched for, which its environment says: the files in its worktree are those
    of its successor as soon as the task is retried.
    """
    launched_for = variables.get("CONDUCTOR_GENERATION", "")
    if variables.get("CONDUCTOR_TASK_ID") == task_id and launched_for.isdecimal():
        generation = min(generation, int(launched_for))
    return Actor(task_id, task_id, generation)
