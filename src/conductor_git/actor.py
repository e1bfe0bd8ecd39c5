"""Who gives a command: a person or script from outside, or the worker of a task from inside its worktree (pure)."""

from __future__ import annotations

from typing import NamedTuple

from conductor_git.names import TaskId


class Actor(NamedTuple):
    """`name` is what history and reviews keep. `worker` and `generation` are set where the context says so."""

    name: str
    worker: TaskId | None = None
    generation: int | None = None

    def generation_for(self, task_id: TaskId) -> int | None:
        """The generation this actor claims to speak for, if it is the task's own worker."""
        return self.generation if self.worker == task_id else None


COORDINATOR = Actor("coordinator")
