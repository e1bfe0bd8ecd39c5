"""Evidence: written whole, read strictly, and a damaged one says what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from conductor_git.errors import BadRecord
from conductor_git.landing import evidence
from conductor_git.landing.evidence import Entry, Evidence
from conductor_git.layout import Layout
from conductor_git.names import CommitId, TaskId
from conductor_git.run import GateResult

LANDING = CommitId("1" * 40)
WHOLE = Evidence(
    landing_id=LANDING,
    target="main",
    target_before=CommitId("2" * 40),
    tree="3" * 40,
    at=datetime(2026, 11, 20, 10, 15, 0, 123456, UTC),
    gates=(
        GateResult("lint", "ruff check .", 0, 1.25, "/x/01-lint.log"),
        GateResult("test", "pytest", None, 900.0, "/x/02-test.log"),
    ),
    landings=(Entry(TaskId("prices"), CommitId("4" * 40), LANDING, ("ada", "Grace Höpper")),),
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_what_is_written_is_read_again(layout: Layout) -> None:
    evidence.write(layout, WHOLE)

    assert evidence.load(layout, LANDING) == WHOLE
    assert evidence.read(layout, LANDING) == evidence.document(WHOLE)
    assert json.loads(layout.evidence(LANDING).read_bytes()) == evidence.document(WHOLE)


def test_the_document_holds_commands_exit_codes_durations_tree_and_reviewers(layout: Layout) -> None:
    evidence.write(layout, WHOLE)

    found = evidence.read(layout, LANDING)

    assert found == {
        "version": 1,
        "landing_id": LANDING,
        "target": "main",
        "target_before": "2" * 40,
        "tree": "3" * 40,
        "at": "2026-11-20T10:15:00.123456Z",
        "gates": [
            {"name": "lint", "command": "ruff check .", "exit_code": 0, "seconds": 1.25, "log": "/x/01-lint.log"},
            {"name": "test", "command": "pytest", "exit_code": None, "seconds": 900.0, "log": "/x/02-test.log"},
        ],
        "landings": [
            {
                "task_id": "prices",
                "approved_commit": "4" * 40,
                "merge_commit": LANDING,
                "reviewers": ["ada", "Grace Höpper"],
            }
        ],
    }


def test_later_evidence_of_the_same_landing_replaces_the_earlier_one(layout: Layout) -> None:
    evidence.write(layout, WHOLE)
    later = Evidence(LANDING, "main", WHOLE.target_before, "", WHOLE.at, (), ())
    evidence.write(layout, later)

    assert evidence.load(layout, LANDING) == later


@pytest.mark.parametrize("landing_id", [LANDING, "", "../../tasks/x", "main", "1" * 39])
def test_where_there_is_none_there_is_none(layout: Layout, landing_id: str) -> None:
    assert evidence.load(layout, landing_id) is None
    assert evidence.read(layout, landing_id) is None


def test_a_landing_id_that_is_no_commit_is_not_written_anywhere(layout: Layout) -> None:
    with pytest.raises(ValueError, match="not a full commit id"):
        evidence.write(layout, Evidence("../x", "main", WHOLE.target_before, "", WHOLE.at, (), ()))

    assert list(layout.common_dir.iterdir()) == []


def document(**changed: Any) -> bytes:
    return json.dumps({**evidence.document(WHOLE), **changed}).encode()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (document()[:-20], "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a mapping"),
        (b'{"version": 1}', "`landing_id` is missing"),
        (document(version=2), "`version` is 2"),
        (document(landing_id="5" * 40), "evidence of 5555"),
        (document(target=None), "`target` is missing"),
        (document(target_before="main"), "`target_before`"),
        (document(at="yesterday"), "`at`"),
        (document(gates=[3]), "`gates\\[0\\]` is not a mapping"),
        (document(gates={}), None),
        (document(gates=[{"name": "x"}]), "`gates\\[0\\].command`"),
        (document(landings=[{"task_id": "../x"}]), "`landings\\[0\\].task_id`"),
        (document(landings="x"), "`landings` is not a list"),
        (document().replace(b"1.25", b"NaN"), "NaN is no number"),
        (b" " * (5 << 20), "more than 4194304 bytes"),
    ],
)
def test_damaged_evidence_is_a_clear_answer(layout: Layout, data: bytes, reason: str | None) -> None:
    evidence.write(layout, WHOLE)
    path = layout.evidence(LANDING)
    path.write_bytes(data)
    if reason is None:
        assert evidence.load(layout, LANDING) is not None
        return

    with pytest.raises(BadRecord, match=reason) as refused:
        evidence.load(layout, LANDING)

    assert str(path) in refused.value.message
    assert refused.value.hint == f"ls -l {path}"
    assert evidence.read(layout, LANDING) == {
        "landing_id": LANDING,
        "damaged": refused.value.message,
        "path": str(path),
    }


def test_a_link_in_the_place_of_evidence_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(document())
    layout.evidence(LANDING).parent.mkdir(parents=True)
    layout.evidence(LANDING).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BadRecord, match="not a regular file"):
        evidence.load(layout, LANDING)
