"""The board: a column for each state, a card for each task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from conductor_git.names import parse_task_id
from conductor_git.run import Run, State
from conductor_git.server.pages.recent import recent
from conductor_git.server.pages.rendering import page, word
from conductor_git.server.pages.session import Looking
from conductor_git.server.serving import Serving, serving
from conductor_git.workflow.documents.note import note
from conductor_git.workflow.look import Row, rows, status
from conductor_git.workflow.looking.sift import live

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]
_ENDED: Final = 12
"""So many of the tasks that have ended are on the board, the last ones in each column."""


@dataclass(frozen=True, slots=True)
class Card:
    row: Row
    note: str
    """The one thing that its state does not say."""

    @property
    def meets(self) -> tuple[str, ...]:
        """What it would run into: other tasks, and its target."""
        foreseen = self.row.foreseen
        if foreseen is None:
            return ()
        return (*([self.row.run.target] if foreseen.target_files else []), *(str(one.other) for one in foreseen.others))


@dataclass(frozen=True, slots=True)
class Column:
    states: tuple[State, ...]
    title: str
    cards: tuple[Card, ...]

    @property
    def key(self) -> str:
        return self.states[0].lower()


@router.get("/")
def board(request: Request, server: Server) -> Response:
    now = server.clock()
    found, bad = status(server.project, now=now)
    ended = (recent(server.project, _ENDED, partial(_is_in, states)) for states in _COLUMNS if states[0].is_final)
    shown = [*found, *rows(server.project, [run for runs in ended for run in runs], now)]
    return page(request, "board.html", columns=tuple(_columns(shown)), bad=bad)


def _is_in(states: Sequence[State], run: Run) -> bool:
    """Whether `run` stands in the column of `states`: a review that was given has ended, and nothing of it landed."""
    has_ended = run.review_of is not None and run.state is State.COMPLETED
    return (State.CANCELLED if has_ended else run.state) in states


@router.get("/tasks/{task_id}/card")
def card(request: Request, task_id: str, server: Server) -> Response:
    """One card, for a board that is open while its task changes."""
    run = server.project.runs.get(parse_task_id(task_id))
    (row,) = rows(server.project, [run], server.clock(), among=live(server.project))
    return page(request, "card.html", card=Card(row, note(row)), column=_column_of(run))


def _columns(found: Sequence[Row]) -> Iterator[Column]:
    for states in _COLUMNS:
        own = sorted((row for row in found if _is_in(states, row.run)), key=_rank)
        title = word(states[0]) if len(states) == 1 else "ended"
        yield Column(states, title.capitalize(), tuple(Card(row, note(row)) for row in own))


_COLUMNS: Final = (
    (State.ASSIGNED,),
    (State.WORKING,),
    (State.IN_REVIEW,),
    (State.APPROVED,),
    (State.COMPLETED,),
    (State.FAILED, State.CANCELLED),
)


def _column_of(run: Run) -> str:
    return next(states[0].lower() for states in _COLUMNS if _is_in(states, run))


def _rank(row: Row) -> tuple[float, str]:
    """In a queue by place; otherwise what happened last stands first."""
    return (float(row.position), "") if row.position else (row.age_seconds + 1e6, row.run.task_id)
