"""Who a server speaks for: settled once, when it starts, and the same for every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from conductor_git.actor import Actor
from conductor_git.context import WorkerContext
from conductor_git.errors import NotARepository
from conductor_git.project import Project
from conductor_git.workflow.mend import mend


@dataclass(frozen=True, slots=True)
class Seat:
    """A project, the actor that speaks, the name that stands below its reviews, and the clock.

    `context` is a worker's; its server speaks for that task and generation alone, also once the task was retried.
    """

    project: Project
    by: Actor
    reviewer: Actor
    clock: Callable[[], datetime]
    context: WorkerContext | None = None

    @property
    def own(self) -> WorkerContext:
        assert self.context is not None  # the worker's tools are offered to nobody else
        return self.context

    def require_repository(self) -> None:
        """Refuse where it was removed or moved since: else a message would make its state directory anew."""
        common = self.project.layout.common_dir
        if not (common / "HEAD").exists():
            raise NotARepository(f"{common} is no git directory any more", hint="conductor-git mcp --help")

    def mend(self) -> None:
        """Finish or take back what a killed command left, as every command does before its own work."""
        mend(self.project, self.clock)
