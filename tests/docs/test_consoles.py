"""What README and docs/ show in a terminal is what comes when it is typed.

`UPDATE_DOCS=1 pytest tests/docs` rewrites the blocks that have changed; look at the difference before you keep it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.blocks import ANYTHING, TOP, Typed, consoles, matches, pages, rewritten, typed
from tests.docs.terminal import Terminal, comparable

RUN = [page for page in pages() if consoles(page.read_text("utf-8"))]


def played(terminal: Terminal, differing: list[str]) -> Callable[[str], str]:
    """A change of blocks: every command is run, and where its output is not what the page shows, it is put there."""

    def play(block: str) -> str:
        return "".join(f"{settled(shown, terminal.run(shown.command), differing)}\n" for shown in typed(block))

    return play


def settled(shown: Typed, got: tuple[str, ...], differing: list[str]) -> Typed:
    if matches(comparable(shown.output), comparable(got)):
        return shown
    assert not any("this is a bug in conductor-git" in line for line in got), "\n".join(got)
    differing.append(f"{shown}\n    --- printed:\n" + "\n".join(got))
    abridged = any(line.strip() == ANYTHING for line in shown.output)
    return shown if abridged else Typed(shown.command, got)


@pytest.mark.parametrize("page", RUN, ids=[page.relative_to(TOP).as_posix() for page in RUN])
def test_a_page_shows_what_a_terminal_shows(page: Path, tmp_path: Path) -> None:
    differing: list[str] = []

    after = rewritten(page.read_text("utf-8"), played(Terminal(tmp_path), differing))

    if os.environ.get("UPDATE_DOCS"):
        page.write_text(after, "utf-8")
    else:
        assert differing == []


def test_an_output_that_differs_is_seen(tmp_path: Path) -> None:
    differing: list[str] = []
    page = "```console\n$ echo one\none\n$ echo two\nthree\n```\n"

    after = rewritten(page, played(Terminal(tmp_path), differing))

    assert len(differing) == 1
    assert after == "```console\n$ echo one\none\n$ echo two\ntwo\n```\n"


@pytest.mark.parametrize(
    ("wanted", "got", "same"),
    [
        (("a", "…", "d"), ("a", "b", "c", "d"), True),
        (("a", "…", "d"), ("a", "d"), True),
        (("a", "…"), ("b",), False),
        (("a",), ("a", "b"), False),
        ((), ("a",), False),
    ],
)
def test_an_ellipsis_stands_for_any_lines(wanted: tuple[str, ...], got: tuple[str, ...], same: bool) -> None:
    assert matches(wanted, got) is same


def test_what_changes_from_run_to_run_is_not_compared() -> None:
    one = ("✓ x at 6988c0ff3d (12 ms)", "MSG-20261121-084608-229870273-PID13432-0000  08:46:08", "a  3s  b")
    two = ("✓ x at 0123456789 (2.1 s)", "MSG-20270101-000000-000000001-PID00001-0001  09:00:00", "a  12m     b")

    assert comparable(one) == comparable(two)
    assert comparable(("✓ x is approved",)) != comparable(("✓ x is rejected",))
