"""The rows of a list as JSON, each made once for as long as nothing of it changes but its age."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    form: bytes


_made: dict[TaskId, _Made] = {}


def rows_answer(rows: Sequence[Row | BadRecord], **more: Any) -> Ready:
    """The document of `tasks`, which are `rows`, and of `more`, which holds at least one key."""
    return aged(template(rows, **more), [row.age_seconds for row in rows if isinstance(row, Row)])


def template(rows: Iterable[Row | BadRecord], **more: Any) -> bytes:
    """The same as a format with a place for the age of each row that has one."""
    head, tail = encoded({"schema": SCHEMA}), encoded(more)
    return b'%b, "tasks": [%b], %b' % (head[:-1], b", ".join(map(_row, rows)), _escaped(tail[1:]))


def aged(form: bytes, ages: Sequence[float]) -> Ready:
    """What `template` made, with the ages in seconds in their places."""
    return Ready(form % tuple(ages))


def _row(row: Row | BadRecord) -> bytes:
    if isinstance(row, BadRecord):
        return _escaped(encoded(unreadable_document(row)))
    known, of = _made.get(row.run.task_id), _all_but_age(row)
    if known is None or known.of != of:
        known = _keep(row.run.task_id, _Made(of, _without_age(row)))
    return known.form


def _keep(task_id: TaskId, made: _Made) -> _Made:
    if len(_made) >= _MOST:
        _made.clear()
    _made[task_id] = made
    return made


def _without_age(row: Row) -> bytes:
    document = row_document(row)
    del document[_AGE]
    return b'%b, "%b": %%.3f}' % (_escaped(encoded(document)[:-1]), _AGE.encode())


def _escaped(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
