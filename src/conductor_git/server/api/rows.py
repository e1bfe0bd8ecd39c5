"""The rows of a list as JSON, each made once for as long as nothing of it changes but its age."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final, NamedTuple

from conductor_git.errors import BadRecord
from conductor_git.names import TaskId
from conductor_git.server.document import SCHEMA, Ready, encoded
from conductor_git.workflow.documents.task import row_document, unreadable_document
from conductor_git.workflow.look import Row

_MOST: Final = 20_000
_AGE: Final = "age_seconds"
_all_but_age: Final = attrgetter(*(field.name for field in fields(Row) if field.name != _AGE))


class _Made(NamedTuple):
    of: Any
    data: bytes


_made: dict[TaskId, _Made] = {}


def rows_answer(rows: Iterable[Row | BadRecord], **more: Any) -> Ready:
    """The document of `tasks`, which are `rows`, and of `more`, which holds at least one key."""
    tasks = b", ".join(map(_row, rows))
    head, tail = encoded({"schema": SCHEMA}), encoded(more)
    return Ready(b'%b, "tasks": [%b], %b' % (head[:-1], tasks, tail[1:]))


def _row(row: Row | BadRecord) -> bytes:
    if isinstance(row, BadRecord):
        return encoded(unreadable_document(row))
    known, of = _made.get(row.run.task_id), _all_but_age(row)
    if known is None or known.of != of:
        known = _keep(row.run.task_id, _Made(of, _without_age(row)))
    return b'%b, "age_seconds": %r}' % (known.data[:-1], round(row.age_seconds, 3))


def _keep(task_id: TaskId, made: _Made) -> _Made:
    if len(_made) >= _MOST:
        _made.clear()
    _made[task_id] = made
    return made


def _without_age(row: Row) -> bytes:
    document = row_document(row)
    del document[_AGE]
    return encoded(document)
