"""docs/doctor.md has every code of `doctor`, says which are mended, and which are notes."""

from __future__ import annotations

from conductor_git.workflow.diagnosing.codes import CODES
from conductor_git.workflow.doctor import MENDERS
from tests.docs.test_tables import DOCS, rows


def test_every_code_is_on_the_page_with_what_mends_it() -> None:
    table = {row[0]: row[2] for row in rows(DOCS / "doctor.md", "Codes")[1:]}

    assert list(table) == list(CODES)
    assert {code for code, mends in table.items() if mends == "note"} == {name for name in CODES if CODES[name].is_note}
    nothing = {code for code, mends in table.items() if mends in ("—", "note")}
    assert nothing == {name for name in CODES if not CODES[name].is_mendable}


def test_what_can_be_mended_has_a_mender() -> None:
    assert set(MENDERS) == {name for name in CODES if CODES[name].is_mendable}
