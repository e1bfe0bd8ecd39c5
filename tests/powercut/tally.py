"""What the power cuts of a test came to."""

from __future__ import annotations

from typing import Final

import pytest

from tests.powercut.chance import SEED
from tests.powercut.crew import Worked

CUTS: Final = (
    pytest.param(2, id="2-cuts"),
    pytest.param(20, id="20-cuts", marks=pytest.mark.powercut),
)
"""How many cuts a test makes: a few in every run of the tests, all of them with `make powercut`."""


class Tally:
    """Figures for the reader, and what was found wrong, in words."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.cuts = 0
        self.acknowledged = 0
        self.tails = 0
        """Incomplete messages at the end of a file, never acknowledged, which the next writer takes away."""
        self.lost: list[str] = []
        self.torn: list[str] = []
        self.other: list[str] = []

    def count(self, worked: Worked) -> None:
        self.cuts += 1
        self.acknowledged += len(worked.acks)
        self.other += [f"cut {self.cuts}: {end}" for end in worked.ends if not end.is_proper]

    @property
    def wrong(self) -> list[str]:
        return self.lost + self.torn + self.other

    def __str__(self) -> str:
        figures = (
            f"{self.cuts} power cuts, {self.acknowledged:,} acknowledged, {len(self.lost)} lost, {len(self.torn)} torn"
        )
        tails = f"; {self.tails} unfinished tails, cut off" if self.tails else ""
        return f"{self.what}: {figures}{tails} (seed {SEED})"
