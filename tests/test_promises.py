"""docs/promises.md holds: every row that must be there is, and every test it names exists.

A row is `| row | promise | test |`; the last cell holds node ids (`tests/integration/test_x.py::test_name`), several
parted by `<br>`, in backticks or not.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import pytest

TOP: Final = Path(__file__).parents[1]
PAGE: Final = TOP / "docs" / "promises.md"
REQUIRED: Final = {*range(1, 18), *range(21, 27), *range(28, 35), 38, 39, 41, 42, 43, 44, 45, 46, 47}

_ROW: Final = re.compile(r"^\|\s*(\d+)[^|]*\|(.*)\|([^|]*)\|\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Promise:
    """One row of the page: its number, what is promised, and the tests that hold it."""

    row: int
    text: str
    tests: tuple[str, ...]


def promises(page: str) -> list[Promise]:
    """The rows of every table in `page` that begin with a number."""
    return [Promise(int(row), text.strip(), _node_ids(cell)) for row, text, cell in _ROW.findall(page)]


def _node_ids(cell: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip().strip("`").strip() for part in re.split(r"<br\s*/?>", cell))))


def complaints(page: str, top: Path) -> Iterator[str]:
    """What is wrong with `page`, a line each; the tests that it names are looked up below `top`."""
    found = promises(page)
    rows = [promise.row for promise in found]
    yield from (f"row {row} is missing" for row in sorted(REQUIRED - set(rows)))
    yield from (f"row {row} is there twice" for row in sorted({row for row in rows if rows.count(row) > 1}))
    for promise in found:
        if not promise.text:
            yield f"row {promise.row} promises nothing"
        if not promise.tests:
            yield f"row {promise.row} names no test"
        yield from (f"row {promise.row}: no test {node}" for node in promise.tests if not exists(node, top))


def exists(node: str, top: Path) -> bool:
    """True when the node id names a test function that its file defines; a `[parameter]` is not looked at."""
    path, _, name = node.partition("[")[0].partition("::")
    if not path.startswith("tests/") or ".." in path or not (top / path).is_file():
        return False
    return name in _test_names(top / path)


@cache
def _test_names(path: Path) -> frozenset[str]:
    return frozenset(_functions(ast.parse(path.read_text(encoding="utf-8")), ""))


def _functions(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and child.name.startswith("test_"):
            yield prefix + child.name
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}::")


def test_every_promise_has_its_tests() -> None:
    assert list(complaints(PAGE.read_text(encoding="utf-8"), TOP)) == []


HERE: Final = "tests/test_promises.py::test_a_promise_without_its_test_is_seen"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("| 7 |", "| 700 |"), "row 7 is missing"),
        (("| 7 |", "| 8 |"), "row 8 is there twice"),
        (("says 7", ""), "row 7 promises nothing"),
        ((f"says 7 | `{HERE}`", "says 7 | "), "row 7 names no test"),
        ((f"says 7 | `{HERE}`", f"says 7 | `{HERE}`<br>`{HERE}_not`"), f"row 7: no test {HERE}_not"),
        ((f"says 7 | `{HERE}`", "says 7 | tests/test_gone.py::test_x"), "row 7: no test tests/test_gone.py::test_x"),
        ((f"says 7 | `{HERE}`", "says 7 | promises"), "row 7: no test promises"),
        (
            (f"says 7 | `{HERE}`", "says 7 | tests/test_promises.py::promises"),
            "row 7: no test tests/test_promises.py::promises",
        ),
    ],
)
def test_a_promise_without_its_test_is_seen(change: tuple[str, str], complaint: str) -> None:
    page = "| row | promise | test |\n|---|---|---|\n"
    page += "".join(f"| {row} | says {row} | `{HERE}` |\n" for row in sorted(REQUIRED))

    assert list(complaints(page, TOP)) == []
    assert complaint in list(complaints(page.replace(*change, 1), TOP))


def test_a_row_names_several_tests_and_may_show_a_bar() -> None:
    (promise,) = promises("| 38 ★ | `\\| head` ends quietly | `tests/a.py::test_a`<br>tests/b.py::test_b[x]<br/> |\n")

    assert promise == Promise(38, "`\\| head` ends quietly", ("tests/a.py::test_a", "tests/b.py::test_b[x]"))
