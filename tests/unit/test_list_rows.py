"""The list of tasks as bytes: what `row_document` tells, each time as it is then."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor_git.errors import BadRecord
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.server.api import rows
from conductor_git.workflow.documents.task import row_document, unreadable_document
from conductor_git.workflow.listing import Asked, listing
from conductor_git.workflow.look import Row
from conductor_git.workflow.looking.health import Health
from tests.kit import tasks


@pytest.fixture
def row(repository: Path) -> Row:
    tasks.spawn(repository, "one")
    (found,) = listing(open_project(repository), Asked(), now=utcnow() + timedelta(seconds=5)).rows
    assert isinstance(found, Row)
    return found


def told(*shown: Row | BadRecord) -> Any:
    return json.loads(bytes(rows.rows_answer(shown, next=None, total=7).body))


def test_a_row_is_told_as_its_document_whatever_of_it_changed_since_the_last_time(row: Row) -> None:
    changed = [
        row,
        replace(row, age_seconds=77.7777),
        replace(row, health=Health.SLOW),
        replace(row, ahead=5, position=2),
        replace(row, run=replace(row.run, title='"quoted" \u00e9')),
        replace(row, run=replace(row.run, worktree="/odd/\udcff")),
        row,
    ]
    for one in changed:
        assert told(one) == {"schema": 1, "tasks": [row_document(one)], "next": None, "total": 7}
    assert told(*changed)["tasks"] == [row_document(one) for one in changed]
    assert told()["tasks"] == []


def test_a_record_that_cannot_be_read_is_a_row_that_says_so(row: Row, repository: Path) -> None:
    project = open_project(repository)
    project.layout.run_info(parse_task_id("one")).write_text("schema: [")
    (bad,) = listing(project, Asked(), now=utcnow()).rows
    assert isinstance(bad, BadRecord)

    assert told(bad, row)["tasks"] == [unreadable_document(bad), row_document(row)]


def test_what_is_kept_of_rows_is_bounded(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(rows, "_made", kept)
    monkeypatch.setattr(rows, "_MOST", 3)
    for number in range(9):
        told(replace(row, run=replace(row.run, task_id=parse_task_id(f"task-{number}"))))
        assert len(kept) <= 3
    assert kept
