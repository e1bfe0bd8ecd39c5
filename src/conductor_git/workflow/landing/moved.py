"""The one moment of a landing that cannot be taken back: the target's ref moves, its checkout with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from conductor_git.errors import Blocked, ConductorError, GitFailed, GitKilled
from conductor_git.history import tip_of
from conductor_git.landing.change import Change
from conductor_git.landing.checkout import Checkout
from conductor_git.landing.publish import publish
from conductor_git.names import CommitId
from conductor_git.project import Project
from conductor_git.workflow.landing.ground import Ground
from conductor_git.workflow.landing.outcome import read_back

MOVED_TARGET_TRIES: Final = 5
"""How often a landing starts over because the target moved under it."""


@dataclass(frozen=True, slots=True)
class Move:
    """The target of `ground` goes on to `to`, which differs from its tip in `listed`."""

    ground: Ground
    to: CommitId
    listed: Sequence[Change]
    checkout: Checkout | None
    reflog: str


def moved_too_often(target: str, meanwhile: str, *, hint: str, **facts: str) -> Blocked:
    """The refusal after the last of these tries; `meanwhile` says what the target has moved under."""
    return Blocked(
        f"{target} moved {MOVED_TARGET_TRIES} times while {meanwhile}; nothing was moved by us",
        hint=hint,
        **facts,
        files=[],
    )


def put(project: Project, move: Move, *, intend: Callable[[str | None], None], forget: Callable[[], None]) -> bool:
    """Move the target by compare-and-swap; True once it was read back and synced, False where it was elsewhere.

    `intend` is called before, with the path of the checkout that is moved along, and has to put on record what is
    about to happen. `forget` takes that back where nothing has moved. What is raised has moved nothing, except
    `GitKilled`: the target may have moved or not, and recovery looks.
    """
    found = move.ground
    intend(str(move.checkout.path) if move.checkout else None)
    try:
        publish(project.git, move.checkout, found.ref, found.tip, move.to, move.listed, move.reflog)
    except GitKilled:
        raise
    except GitFailed:
        forget()
        if tip_of(project.git, found.ref) == found.tip:
            raise
        return False
    except ConductorError:
        forget()
        raise
    read_back(project, found.target, move.to)
    return True
