"""What an agent's events add up to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.runner.agents.tally import LONGEST_ANSWER, Tally
from tests.agents.performing import NOON


def tally(*events: AgentEvent) -> Tally:
    made = Tally()
    for event in events:
        made.add(event, NOON)
    return made


def test_figures_add_up_and_a_total_takes_their_place() -> None:
    step = AgentEvent(Kind.USAGE, tokens_in=10, tokens_out=2, cost_usd=0.25)

    added = tally(step, step)
    replaced = tally(step, step, AgentEvent(Kind.USAGE, tokens_in=15, cost_usd=0.375, total=True), step)

    assert (added.tokens_in, added.tokens_out, added.cost_usd) == (20, 4, 0.5)
    assert (replaced.tokens_in, replaced.tokens_out, replaced.cost_usd) == (25, 6, 0.625)


def test_nothing_told_is_nothing_known_rather_than_nothing_spent() -> None:
    made = tally(AgentEvent(Kind.TEXT, "Hello"))

    assert (made.cost_usd, made.tokens_in, made.tokens_out) == (None, None, None)


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -1.0])
def test_a_cost_that_is_no_amount_counts_for_nothing(cost: float) -> None:
    made = tally(AgentEvent(Kind.USAGE, cost_usd=0.5), AgentEvent(Kind.USAGE, cost_usd=cost, tokens_in=-3, total=True))

    assert (made.cost_usd, made.tokens_in) == (0.5, None)


def test_the_answer_is_the_last_word_and_else_what_was_said() -> None:
    said = AgentEvent(Kind.TEXT, "Looking."), AgentEvent(Kind.TOOL, "Bash ls"), AgentEvent(Kind.TEXT, "Found it.")

    assert tally(*said).answer() == "Looking.\n\nFound it."
    assert tally(*said, AgentEvent(Kind.RESULT, "Fixed.\n")).answer() == "Fixed."
    assert tally(*said, AgentEvent(Kind.RESULT, " ")).answer() == "Looking.\n\nFound it."
    assert tally().answer() == ""


def test_pieces_of_a_text_are_put_together_and_texts_are_kept_apart() -> None:
    pieces = [AgentEvent(Kind.TEXT, piece, part=True) for piece in ("Loo", "king", ".")]

    made = tally(*pieces, AgentEvent(Kind.USAGE, tokens_in=1), *pieces, AgentEvent(Kind.TOOL, "ls"), *pieces)

    assert made.answer() == "Looking.Looking.\n\nLooking."


def test_an_answer_is_bounded_however_many_pieces_it_has() -> None:
    many = [AgentEvent(Kind.TEXT, f"{number} ü", part=True) for number in range(300_000)]

    answer = tally(*many).answer()

    assert answer.endswith("299999 ü")
    assert LONGEST_ANSWER - 8 <= len(answer.encode()) <= LONGEST_ANSWER
    long = tally(AgentEvent(Kind.RESULT, "ü" * LONGEST_ANSWER)).answer()
    assert len(long.encode()) == LONGEST_ANSWER


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.TOOL, Kind.RESULT])
def test_a_limit_is_over_as_soon_as_the_agent_is_served_again(kind: Kind) -> None:
    limit = AgentEvent(Kind.LIMIT, "rate limit, retry in 20s", limit=Limit.RATE)

    assert tally(limit, AgentEvent(Kind.OTHER, "?"), AgentEvent(Kind.USAGE, tokens_in=1)).limit is Limit.RATE
    assert tally(limit, AgentEvent(kind, "x")).limit is None
    assert tally(limit, AgentEvent(kind, "x"), limit).until == NOON + timedelta(seconds=20)


def test_a_limit_told_twice_keeps_the_time_that_one_of_them_told() -> None:
    told = AgentEvent(Kind.LIMIT, "five hours are used up", limit=Limit.QUOTA, until=NOON + timedelta(hours=2))
    again = AgentEvent(Kind.LIMIT, "usage limit reached", limit=Limit.QUOTA)
    another = AgentEvent(Kind.LIMIT, "Invalid API key", limit=Limit.AUTH)

    assert tally(told, again).until == NOON + timedelta(hours=2)
    assert tally(again, told).until == NOON + timedelta(hours=2)
    assert (tally(told, another).limit, tally(told, another).until) == (Limit.AUTH, None)


def test_the_end_of_the_last_error_is_kept() -> None:
    made = tally(AgentEvent(Kind.ERROR, "first"), AgentEvent(Kind.ERROR, "x" * 9000 + "end\n"), AgentEvent(Kind.ERROR))

    assert made.error is not None
    assert (len(made.error), made.error[-4:]) == (4096, "xend")
