"""The life of a task as a picture: its states along a line, its attempts below it (no I/O)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from conductor_git.run import Attempt, Run, how_it_ended
from conductor_git.server.pages.rendering import word
from conductor_git.wording import age

WIDTH: Final = 1000
_LEAST: Final = 16.0
"""So wide at least is a state, however short it was, that it can be seen and pointed at."""
_ATTEMPT_TOP: Final = 58
_ATTEMPT_STEP: Final = 22


@dataclass(frozen=True, slots=True)
class Stretch:
    """One state, from `x` on; `said` tells it to those who point at it or hear it."""

    x: float
    width: float
    state: str
    said: str
    label: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt, on a line of its own."""

    x: float
    width: float
    y: int
    kind: str
    said: str
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    stretches: tuple[Stretch, ...]
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        return (_ATTEMPT_TOP + _ATTEMPT_STEP * len(self.bars)) if self.bars else 50


def timeline(run: Run, now: datetime) -> Timeline:
    """The picture of `run`; time runs to the right, and short states are drawn wider than they were."""
    end = run.history[-1].at if run.state.is_final else now
    moments = [step.at for step in run.history] + [max(end, run.history[-1].at)]
    scale = _Scale(moments, _edges(moments))
    return Timeline(tuple(_stretches(run, scale, moments)), tuple(_bars(run, scale, moments[-1])))


def _edges(moments: Sequence[datetime]) -> list[float]:
    lengths = [max(0.0, (later - before).total_seconds()) for before, later in pairwise(moments)]
    room = max(0.0, WIDTH - _LEAST * len(lengths))
    least = min(_LEAST, WIDTH / len(lengths))
    total = sum(lengths)
    edges = [0.0]
    for length in lengths:
        share = room * length / total if total else room / len(lengths)
        edges.append(edges[-1] + least + share)
    return edges


@dataclass(frozen=True, slots=True)
class _Scale:
    moments: Sequence[datetime]
    edges: Sequence[float]

    def x(self, at: datetime) -> float:
        """Where `at` is on the line, between the two moments around it."""
        for number, (before, later) in enumerate(pairwise(self.moments)):
            if at <= later:
                length = (later - before).total_seconds()
                part = min(1.0, max(0.0, (at - before).total_seconds() / length)) if length else 0.0
                return self.edges[number] + part * (self.edges[number + 1] - self.edges[number])
        return self.edges[-1]


def _stretches(run: Run, scale: _Scale, moments: Sequence[datetime]) -> Iterator[Stretch]:
    for number, step in enumerate(run.history):
        x, end = scale.edges[number], scale.edges[number + 1]
        lasted = age((moments[number + 1] - step.at).total_seconds())
        said = f"{step.state}, by {step.by} at {step.at:%Y-%m-%d %H:%M:%S} UTC, for {lasted}"
        label = f"{word(step.state)} {lasted}"
        yield Stretch(round(x, 1), round(end - x, 1), str(step.state), said, label if end - x > 9 * len(label) else "")


def _bars(run: Run, scale: _Scale, end: datetime) -> Iterator[Bar]:
    for row, attempt in enumerate(run.attempts[-8:]):
        number = run.attempts_before + len(run.attempts) - min(8, len(run.attempts)) + row + 1
        x = scale.x(attempt.started_at)
        width = max(6.0, scale.x(attempt.ended_at or end) - x)
        how = how_it_ended(run, attempt)
        yield Bar(
            round(min(x, WIDTH - 6), 1),
            round(width, 1),
            _ATTEMPT_TOP + _ATTEMPT_STEP * row,
            _kind(attempt),
            f"attempt {number} by {attempt.agent} {how}",
            f"{number} {attempt.agent}",
        )


def _kind(attempt: Attempt) -> str:
    if attempt.ended_at is None:
        return "running"
    return "ended" if attempt.exit_code == 0 else "failed"
