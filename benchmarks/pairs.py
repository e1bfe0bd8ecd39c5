"""Pairs: the yardstick and ours measured in turns, so that what else the machine does falls on both."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

Timed = Callable[[], float]
"""Does the work once, with what it needs made before and taken away after, and returns the seconds of the work."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `yardstick` and `ours` are seconds, one value a pair; the ratio is ours by yardstick.

    With `work`, what counts is work done: that many units in those seconds, and the ratio is that of throughputs.
    A row without `goal`, `limit_seconds` and `more_seconds` is shown for comparison.
    """

    number: str
    what: str
    yardstick: tuple[float, ...]
    ours: tuple[float, ...]
    goal: float | None = None
    work: int | None = None
    limit_seconds: float | None = None
    """What the median of ours may take, whatever the yardstick takes."""
    more_seconds: float | None = None
    """What ours may take longer than the yardstick, by the median of the pairs' differences."""
    note: str = ""
    failure: str = ""
    """What ours did not keep while it was measured, in a word or two: then no speed reaches a goal."""
    in_bytes: bool = False
    """The values are bytes of memory, and no seconds."""

    @property
    def ratio(self) -> float:
        """The median of the pairs' ratios: a disturbance of one pair does not move it."""
        both = zip(self.yardstick, self.ours, strict=True)
        if self.work is not None:
            return median(yardstick / ours for yardstick, ours in both)
        return median(ours / yardstick for yardstick, ours in both)

    @property
    def is_reached(self) -> bool | None:
        """None where the row is shown for comparison, and has no goal."""
        if self.failure:
            return False
        if self.goal is None and self.limit_seconds is None and self.more_seconds is None:
            return None
        in_time = self.limit_seconds is None or median(self.ours) <= self.limit_seconds
        return (
            self._is_ratio_reached and in_time and (self.more_seconds is None or self.difference <= self.more_seconds)
        )

    @property
    def difference(self) -> float:
        """How much longer ours takes, in seconds."""
        return median(ours - yardstick for yardstick, ours in zip(self.yardstick, self.ours, strict=True))

    @property
    def _is_ratio_reached(self) -> bool:
        if self.goal is None:
            return True
        return self.ratio >= self.goal if self.work is not None else self.ratio <= self.goal

    def document(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "what": self.what,
            "yardstick_seconds": list(self.yardstick),
            "ours_seconds": list(self.ours),
            "work": self.work,
            "ratio": self.ratio,
            "goal": self.goal,
            "limit_seconds": self.limit_seconds,
            "more_seconds": self.more_seconds,
            "reached": self.is_reached,
            "failure": self.failure,
            "note": self.note,
        }


_WARM_UP: Final = 1


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measured(
    number: str,
    what: str,
    yardstick: Timed,
    ours: Timed,
    *,
    pairs: int,
    goal: float | None = None,
    work: int | None = None,
) -> Row:
    """`pairs` pairs, after one that is not counted and fills the caches; who goes first changes from pair to pair."""
    kept: list[tuple[float, float]] = []
    for turn in range(pairs + _WARM_UP):
        if turn % 2:
            second = ours()
            first = yardstick()
        else:
            first = yardstick()
            second = ours()
        kept.append((first, second))
    counted = kept[_WARM_UP:]
    return Row(number, what, tuple(one for one, _ in counted), tuple(two for _, two in counted), goal, work)
