"""What a coordinator asks of a landing, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from conductor_git.actor import Actor
from conductor_git.errors import ConductorError
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import GateResult, Outcome, Run, Strategy
from conductor_git.workflow.landing.cleanup import Fate

if TYPE_CHECKING:  # what reads a record of a landing runs no gates
    from conductor_git.landing.gates import During


WAIT_SECONDS: Final = 600.0
"""How long a landing waits for its target, where nothing else is wished."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the coordinator wants the landing; None leaves the choice to the config of the target commit."""

    strategy: Strategy | None = None
    cleanup: bool = True
    wait_seconds: float = WAIT_SECONDS
    dry_run: bool = False
    trust: bool = False
    """Agree to the gates of the target's config, as `config trust` does."""
    ignore_needs: bool = False
    """Land although a task that it needs has not landed."""


GateTold = Callable[[GateResult, Sequence[TaskId]], None]
"""Hears of a gate that has ended, and of the tasks whose landings were on the tree that it judged."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What a surface wants to hear while a landing is on its way. Called synchronously; must not raise."""

    waiting: Callable[[str, int], None] = lambda ahead, count: None
    gate: GateTold = lambda result, tasks: None
    gating: During = lambda gate, log: nullcontext()
    config: Callable[[Run], None] = lambda run: None
    """Hears of a task that changes the project's config, which did not count for its own landing."""
    result: Callable[[Landed | Refused], None] = lambda result: None


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of a landing: the record, its outcome, and what became of worktree and branch."""

    run: Run
    outcome: Outcome
    fate: Fate | None = None
    paths: tuple[str, ...] = ()
    push_error: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A task that did not land, with the error that says why; the record is as the error's outcome asks."""

    run: Run
    error: ConductorError


Result = Landed | Refused


@dataclass(frozen=True, slots=True)
class Terms:
    """What every step of a landing goes by: where, who asks for it, by which clock, what is wished, and who listens."""

    project: Project
    by: Actor
    at: Callable[[], datetime]
    wish: Wish = Wish()
    listener: Listener = Listener()

    def holding(self, *descriptors: int) -> Terms:
        """The same terms, with git children that keep the given locks until the last of them has ended."""
        return replace(self, project=self.project.holding(*descriptors))
