"""Where one task of a plan stands, why, and what is to be done about it (no I/O)."""

from __future__ import annotations

from dataclasses import dataclass

from conductor_git.workflow.planning.actions import Action
from conductor_git.workflow.planning.facts import Stands


@dataclass(frozen=True, slots=True)
class Standing:
    """`why` is a line for people, empty where the word says it all."""

    stands: Stands
    why: str = ""
    actions: tuple[Action, ...] = ()


def waits(why: str) -> Standing:
    """For a person."""
    return Standing(Stands.WAITING, why)
