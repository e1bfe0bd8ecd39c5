"""listing: the tasks that somebody asks for, a page at a time. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from conductor_git.errors import BadRecord
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.workflow.look import Row, rows
from conductor_git.workflow.looking.sift import LIVE, sift


@dataclass(frozen=True, slots=True)
class Asked:
    """Which tasks; what is None or empty leaves nothing out, and `states` does not mean those that have ended."""

    states: tuple[State, ...] = ()
    everything: bool = False
    """Also those that have ended, where no `states` are named."""
    agent: str | None = None
    plan: str | None = None
    parent: str | None = None
    text: str | None = None
    """In the id or the title, in any case."""
    after: TaskId | None = None
    """The last task of the page before."""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A page in the order of the task ids; `total` counts what was asked for on all pages."""

    rows: tuple[Row | BadRecord, ...]
    total: int
    next: TaskId | None
    """What the next page is asked `after`; None where there is none."""


def listing(project: Project, asked: Asked, *, now: datetime) -> Listed:
    """The tasks that `asked` means. Tasks that come or go meanwhile are never told twice, and push no other off a page.

    A record that cannot be read is in it as its error, whatever was asked but for `text`: nobody knows what it holds.
    Whatever is worked out from branches is worked out for the tasks of the page alone.
    """
    wanted = frozenset(asked.states) or (frozenset(State) if asked.everything else LIVE)
    found = list(sift(project, wanted | LIVE))
    among = [run for run in found if isinstance(run, Run) and not run.state.is_final]
    meant = [one for one in found if _is_meant(one, asked, wanted)]
    left = [one for one in meant if asked.after is None or _name(one) > asked.after]
    page = left[: asked.limit]
    more = TaskId(_name(page[-1])) if len(left) > len(page) else None
    return Listed(_rows(project, page, among, now), len(meant), more)


def _rows(
    project: Project, page: Sequence[Run | BadRecord], among: Sequence[Run], now: datetime
) -> tuple[Row | BadRecord, ...]:
    runs = [one for one in page if isinstance(one, Run)]
    made = {row.run.task_id: row for row in rows(project, runs, now, among=among)}
    return tuple(one if isinstance(one, BadRecord) else made[one.task_id] for one in page)


def _is_meant(one: Run | BadRecord, asked: Asked, wanted: frozenset[State]) -> bool:
    text = (asked.text or "").casefold()
    if isinstance(one, BadRecord):
        return text in _name(one).casefold()
    return one.state in wanted and (
        asked.agent in (None, one.agent)
        and asked.plan in (None, one.plan)
        and asked.parent in (None, one.parent_task_id)
        and (not text or text in one.task_id or text in one.title.casefold())
    )


def _name(one: Run | BadRecord) -> str:
    return one.task_id if isinstance(one, Run) else str(one.facts["task_id"])
