"""Who asks, and what they may do (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from conductor_git.actor import Actor
from conductor_git.names import TaskId


class Role(StrEnum):
    """`viewer` looks, `reviewer` reviews too, `admin` does everything; a `worker` acts for its own task only."""

    VIEWER = "viewer"
    WORKER = "worker"
    REVIEWER = "reviewer"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Who:
    """Whoever a token stands for."""

    name: str
    role: Role
    token_id: str
    task_id: TaskId | None = None
    """Of a worker, its task."""
    generation: int | None = None
    """Of a worker, the generation of its task that the token was made for."""

    @property
    def actor(self) -> Actor:
        """As workflows know whoever gives a command."""
        return Actor(self.name, self.task_id, self.generation)
