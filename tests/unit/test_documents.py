"""The JSON document of a task: every value has the type that the docs give it, wherever a landing is on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conductor_git.cli.documents import task_document
from conductor_git.names import CommitId, TaskId
from conductor_git.run import GateResult, Landing, Phase, Run, State, Strategy

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LANDING = Landing(
    "1" * 40, Phase.ENDED, Strategy.MERGE, gates=(GateResult("unit", "pytest", 0, 1.25, "/x/01-unit.log"),)
)
RUN = Run(
    project_id="p",
    task_id=TaskId("prices"),
    title="Prices",
    state=State.COMPLETED,
    branch="worker/prices",
    target="main",
    base_commit=CommitId("2" * 40),
    worktree="/x/prices",
    agent=None,
    created_at=NOON,
    updated_at=NOON,
)
PARTS = {
    "landing": replace(RUN, landing=LANDING),
    "undo": replace(RUN, undo=LANDING),
    "join": replace(RUN, join=LANDING),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_landing_holds_numbers_and_truth_values_and_no_text_for_them(part: str) -> None:
    told = task_document(PARTS[part])[part]

    assert told["cleanup"] is True
    assert [gate["seconds"] for gate in told["gates"]] == [1.25]


@pytest.mark.parametrize("part", PARTS)
def test_what_is_not_on_record_is_null(part: str) -> None:
    others = [task_document(PARTS[part])[other] for other in PARTS if other != part]

    assert others == [None, None]
