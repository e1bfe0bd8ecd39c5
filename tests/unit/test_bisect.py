"""Bisection of a stack: what it finds, and how often it asks."""

from __future__ import annotations

from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_git.landing.bisect import greens


def asked(count: int, red: set[int]) -> tuple[int, list[int]]:
    """What `greens` says of `count` layers of which those in `red` (from 1) break the gates, and the prefixes asked."""
    runs: list[int] = []

    def is_green(length: int) -> bool:
        runs.append(length)
        return all(layer > length for layer in red)

    return greens(count, is_green), runs


@pytest.mark.parametrize("count", range(1, 10))
def test_a_green_stack_is_asked_once(count: int) -> None:
    assert asked(count, set()) == (count, [count])


@given(st.integers(1, 300), st.data())
def test_one_red_layer_is_found_in_one_run_and_the_logarithm_more(count: int, data: st.DataObject) -> None:
    red = data.draw(st.integers(1, count))

    green, runs = asked(count, {red})

    assert green == red - 1
    assert len(runs) <= 1 + ceil(log2(count))
    assert len(set(runs)) == len(runs), "no prefix is asked twice"


@given(st.integers(1, 60), st.data())
def test_what_is_published_was_green_and_the_next_layer_turned_it_red(count: int, data: st.DataObject) -> None:
    """Also where red and green come and go, as with a gate that does not always say the same."""
    answers = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    seen: dict[int, bool] = {}

    def is_green(length: int) -> bool:
        seen[length] = answers[length - 1]
        return seen[length]

    green = greens(count, is_green)

    assert green == 0 or seen[green]
    assert green == count or not seen[green + 1]
