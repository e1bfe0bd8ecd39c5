"""Tasks that need each other, laid out as a picture from left to right (no I/O)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conductor_git.names import TaskId
from conductor_git.run import Run

_BOX: Final = (190, 46)
_GAP: Final = (60, 18)
_LONGEST: Final = 24


@dataclass(frozen=True, slots=True)
class Box:
    """One task; a need that has no record is one too, without a state."""

    task_id: TaskId
    x: int
    y: int
    state: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Arrow:
    """From what is needed to whoever needs it."""

    x1: int
    y1: int
    x2: int
    y2: int

    @property
    def curve(self) -> str:
        middle = (self.x1 + self.x2) // 2
        return f"M{self.x1} {self.y1} C{middle} {self.y1} {middle} {self.y2} {self.x2} {self.y2}"


@dataclass(frozen=True, slots=True)
class Graph:
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    box: tuple[int, int] = _BOX


def graph(runs: Sequence[Run]) -> Graph:
    """The picture of `runs` and of what they need, each to the right of all that it needs."""
    states: dict[TaskId, str | None] = {run.task_id: str(run.state) for run in runs}
    needs = {run.task_id: run.needs for run in runs}
    states |= {need: None for run in runs for need in run.needs if need not in states}
    columns = _columns(states, needs)
    boxes = tuple(_boxes(columns, states))
    at = {box.task_id: box for box in boxes}
    arrows = tuple(_arrow(at[need], at[task_id]) for task_id, wanted in needs.items() for need in wanted)
    width = len(columns) * (_BOX[0] + _GAP[0]) - _GAP[0]
    height = max((len(column) for column in columns), default=0) * (_BOX[1] + _GAP[1]) - _GAP[1]
    return Graph(boxes, arrows, max(width, _BOX[0]) + 4, max(height, _BOX[1]) + 4)


def _columns(task_ids: Iterable[TaskId], needs: Mapping[TaskId, Sequence[TaskId]]) -> list[list[TaskId]]:
    """The tasks by how much has to come before them; what goes round in a circle stands last."""
    left, columns = list(task_ids), list[list[TaskId]]()
    placed = set[TaskId]()
    while left:
        ready = [task_id for task_id in left if all(need in placed for need in needs.get(task_id, ()))] or left
        columns.append(sorted(ready))
        placed |= set(ready)
        left = [task_id for task_id in left if task_id not in placed]
    return columns


def _boxes(columns: Sequence[Sequence[TaskId]], states: Mapping[TaskId, str | None]) -> Iterator[Box]:
    for across, column in enumerate(columns):
        for down, task_id in enumerate(column):
            label = task_id if len(task_id) <= _LONGEST else f"{task_id[: _LONGEST - 1]}…"
            x, y = 2 + across * (_BOX[0] + _GAP[0]), 2 + down * (_BOX[1] + _GAP[1])
            yield Box(task_id, x, y, states[task_id], label)


def _arrow(start: Box, end: Box) -> Arrow:
    return Arrow(start.x + _BOX[0], start.y + _BOX[1] // 2, end.x, end.y + _BOX[1] // 2)
