"""Tables for people: aligned, without blank columns, and on a terminal within its width."""

from __future__ import annotations

import io

import pytest

from conductor_git.cli.output import columns, table

HEADER = ("KEY", "VALUE", "NOTE", "FROM")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def forty_wide(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def test_columns_that_are_blank_in_every_row_are_left_out() -> None:
    assert columns(HEADER, [("a", "1", "", "here"), ("bcd", "22", "", "there")]).split("\n") == [
        "KEY  VALUE  FROM",
        "a    1      here",
        "bcd  22     there",
    ]


def test_a_pipe_gets_every_cell_whole() -> None:
    assert table(HEADER, [("a", "1" * 90, "", "here")], io.StringIO()).endswith(f"a    {'1' * 90}  here")


def test_on_a_terminal_the_widest_column_gives_way_and_those_behind_it_are_seen(forty_wide: Terminal) -> None:
    shown = table(HEADER, [("gates", "1" * 90, "", "config.yaml:3"), ("merge", "squash", "", "default")], forty_wide)

    assert shown.split("\n") == [
        "KEY    VALUE               FROM",
        f"gates  {'1' * 17}…  config.yaml:3",
        "merge  squash              default",
    ]


def test_what_has_room_is_not_cut(forty_wide: Terminal) -> None:
    assert table(HEADER, [("a", "1" * 25, "", "here")], forty_wide).endswith(f"a    {'1' * 25}  here")


def test_no_column_gives_way_altogether_and_no_line_is_wider_than_the_terminal(forty_wide: Terminal) -> None:
    lines = table(HEADER, [("k" * 60, "v" * 60, "n" * 60, "f" * 60)], forty_wide).split("\n")

    assert lines[1] == f"{'k' * 11}…  {'v' * 11}…  {'n' * 11}"[:39] + "…"
    assert max(map(len, lines)) == 40


def test_a_terminal_narrower_than_a_column_still_gets_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "5")

    assert table(("KEY",), [("abcdefgh",)], Terminal()).split("\n") == ["KEY", "abcd…"]
