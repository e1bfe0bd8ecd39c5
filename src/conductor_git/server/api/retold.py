"""A list of tasks that was told before: told again with the ages of now, as long as nothing else of it changed.

What a list tells hangs on the records, on the branches, on the processes and signs of life of its tasks, and on the
time. The first two are the same objects for as long as nothing changed, the third is looked at each time, and the
fourth is put in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git.errors import BadRecord
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.server.api.rows import aged, rows_answer, template
from conductor_git.server.document import Ready
from conductor_git.workflow.listing import Asked, Listed, listing
from conductor_git.workflow.look import Row, is_lasting
from conductor_git.workflow.looking.health import Signs, signs
from conductor_git.workflow.looking.tips import every

_MOST_BYTES: Final = 4 << 20
"""Of all lists that are remembered; once there are more, all are forgotten."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
_TICKS: Final = 1_000_000

Records = tuple[Run | BadRecord, ...]


class _Known(NamedTuple):
    """A list as it was told. It holds on to `records` and `tips`, so that no other object can be taken for them."""

    records: Records
    tips: dict[str, str]
    watched: tuple[Run, ...]
    """The tasks whose `signs` may change while their records do not."""
    signs: tuple[Signs, ...]
    updated: tuple[int, ...]
    """When the records of its rows changed, in microseconds since the epoch."""
    form: bytes
    """The answer, with a place for each age."""


_known: dict[tuple[Path, Asked], _Known] = {}


def list_answer(project: Project, asked: Asked, now: datetime) -> Ready:
    """The document of the tasks that `asked` means, as they are now."""
    # Looked up before anything is worked out: what changes meanwhile is another object at the next request.
    records, tips = project.runs.whole(), every(project)
    key = (project.layout.common_dir, asked)
    known = _known.get(key)
    if known is None or not _is_still(known, project, records, tips, now):
        found = listing(project, asked, now=now)
        rows = [row for row in found.rows if isinstance(row, Row)]
        if len(rows) < len(found.rows) or not _lasts(project, rows, records, tips):
            return rows_answer(found.rows, next=found.next, total=found.total)
        known = _keep(key, _remembered(found, rows, records, tips))
    return aged(known.form, _ages(known.updated, now))


def _is_still(known: _Known, project: Project, records: Records, tips: dict[str, str], now: datetime) -> bool:
    is_of = known.records is records and known.tips is tips
    return is_of and signs(project, known.watched, now) == known.signs


def _lasts(project: Project, rows: Sequence[Row], records: Records, tips: dict[str, str]) -> bool:
    live = [run for run in records if isinstance(run, Run) and not run.state.is_final]
    return project.runs.is_quick and is_lasting(project, rows, live, tips)


def _remembered(found: Listed, rows: Sequence[Row], records: Records, tips: dict[str, str]) -> _Known:
    watched = [row for row in rows if row.run.supervision is not None or not row.run.state.is_final]
    return _Known(
        records,
        tips,
        tuple(row.run for row in watched),
        tuple(Signs(row.health, row.supervised) for row in watched),
        tuple(_ticks(row.run.updated_at) for row in rows),
        template(rows, next=found.next, total=found.total),
    )


def _keep(key: tuple[Path, Asked], known: _Known) -> _Known:
    kept = sum(len(other.form) for other in list(_known.values()))
    if kept + len(known.form) > _MOST_BYTES:
        _known.clear()
    _known[key] = known
    return known


def _ages(updated: Sequence[int], now: datetime) -> list[float]:
    """In seconds, as `workflow.look` reckons them."""
    ticks = _ticks(now)
    return [(ticks - then) / _TICKS if ticks > then else 0.0 for then in updated]


def _ticks(at: datetime) -> int:
    return (at - _EPOCH) // _TICK
