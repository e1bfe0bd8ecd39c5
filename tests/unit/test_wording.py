"""Numbers, lengths of time and names in a row, as people read them."""

from __future__ import annotations

import pytest

from conductor_git.wording import age, counted, listed, several


@pytest.mark.parametrize(("number", "told"), [(0, "0 files"), (1, "1 file"), (2, "2 files")])
def test_only_one_is_singular(number: int, told: str) -> None:
    assert counted(number, "file") == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-3, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (86399, "23h"), (259200, "3d")],
)
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: float, told: str) -> None:
    assert age(seconds) == told


@pytest.mark.parametrize(
    ("names", "in_a_row", "in_a_sentence"),
    [
        ("", "", ""),
        ("a", "a", "a"),
        ("ab", "a, b", "a and b"),
        ("abcde", "a, b, c, d, e", "a, b, c, d and e"),
        ("abcdef", "a, b, c, d, e and 1 more", "a, b, c, d, e and 1 more"),
    ],
)
def test_of_many_names_the_first_are_told_and_how_many_more_there_are(
    names: str, in_a_row: str, in_a_sentence: str
) -> None:
    assert (several(tuple(names)), listed(tuple(names))) == (in_a_row, in_a_sentence)


def test_how_many_are_named_is_the_callers_choice() -> None:
    assert several(("a", "b", "c"), 2) == "a, b and 1 more"
