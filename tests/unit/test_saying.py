"""What an agent says, for people: words as they are, the rest on marked lines, and nothing that steers a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from conductor_git.cli.saying import Saying
from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.workflow.attach import WholeLines
from conductor_git.workflow.following import Masking

KEY = "sk-proj-0123456789abcdefghij"


def said(*events: AgentEvent) -> str:
    stream = io.StringIO()
    saying = Saying(stream)
    for event in events:
        saying.say(event)
    saying.end()
    return stream.getvalue()


def piece(text: str) -> AgentEvent:
    return AgentEvent(Kind.TEXT, text, part=True)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (AgentEvent(Kind.TEXT, "Prices first."), "Prices first."),
        (AgentEvent(Kind.TOOL, "Bash make\n  test"), "· Bash make test"),
        (AgentEvent(Kind.RESULT, "All done."), "✓ All done."),
        (AgentEvent(Kind.ERROR, "no such model"), "✗ no such model"),
        (AgentEvent(Kind.LIMIT, "slow down", limit=Limit.RATE), "▲ slow down"),
        (AgentEvent(Kind.OTHER, '{"type":"new"}'), '{"type":"new"}'),
        (AgentEvent(Kind.USAGE, tokens_in=1200, tokens_out=7), "· 1,200 tokens in, 7 tokens out"),
        (AgentEvent(Kind.USAGE, tokens_in=5, cost_usd=0.5, total=True), "· 5 tokens in, $0.5000, in all"),
    ],
)
def test_each_kind_of_event_has_its_line(event: AgentEvent, line: str) -> None:
    assert said(event) == f"{line}\n"


def test_a_usage_without_figures_and_an_empty_result_say_nothing() -> None:
    assert said(AgentEvent(Kind.USAGE), AgentEvent(Kind.RESULT, " ")) == ""


def test_a_limit_says_until_when_it_lasts() -> None:
    until = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

    assert said(AgentEvent(Kind.LIMIT, "quota", until=until)) == "▲ quota (until 2026-11-21 09:30:00 UTC)\n"


def test_a_last_word_that_was_just_said_is_not_said_twice() -> None:
    assert said(AgentEvent(Kind.TEXT, "All done."), AgentEvent(Kind.RESULT, "All done.\n")) == (
        "All done.\n✓ its last word\n"
    )


def test_pieces_of_a_text_stay_on_their_line_and_what_follows_begins_one() -> None:
    assert said(piece("one "), piece("two"), AgentEvent(Kind.TOOL, "Read a.py")) == "one two\n· Read a.py\n"


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.USAGE])
def test_nothing_that_an_agent_says_steers_the_terminal(kind: Kind) -> None:
    text = said(AgentEvent(kind, "a\x1b]0;title\x07b\x1b[2Jc\x9b1md\x00e\x07"))

    assert text.strip("\n").isprintable()
    assert "abcd" in text


def test_a_secret_that_comes_in_two_pieces_is_masked() -> None:
    whole = WholeLines()
    told = [*whole.of([piece(f"key {KEY[:12]}"), piece(f"{KEY[12:]}\nnext")]), *whole.rest()]

    assert [event.text for event in told] == ["key [masked]\n", "next"]


def test_a_secret_is_masked_in_events_of_every_kind() -> None:
    told = WholeLines().of([AgentEvent(kind, f"-H {KEY}") for kind in Kind])

    assert [event.text for event in told] == ["-H [masked]"] * len(Kind)


def test_what_an_agent_says_comes_in_its_order_when_a_line_waits_for_its_end() -> None:
    whole = WholeLines()
    told = whole.of([piece("not yet"), AgentEvent(Kind.USAGE, tokens_in=1), AgentEvent(Kind.TOOL, "Read")])

    assert [(event.kind, event.text) for event in told] == [
        (Kind.USAGE, ""),
        (Kind.TEXT, "not yet"),
        (Kind.TOOL, "Read"),
    ]


def test_text_without_end_of_line_is_not_held_for_ever() -> None:
    told = list(WholeLines().of(piece("x" * 1024) for _ in range(100)))

    assert sum(len(event.text) for event in told) > 64 * 1024


@pytest.mark.parametrize("cut", range(len(KEY) + 5))
def test_bytes_are_masked_wherever_they_are_cut(cut: int) -> None:
    data = f"key {KEY}\n".encode()
    masking = Masking()

    assert masking.feed(data[:cut]) + masking.feed(data[cut:]) + masking.rest() == b"key [masked]\n"


def test_a_line_without_end_is_given_out_and_a_secret_in_it_is_not() -> None:
    masking = Masking()
    told = b"".join(masking.feed(b"x" * 997) for _ in range(80))
    assert told

    told += b"".join(masking.feed(bytes([byte])) for byte in f" {KEY} ".encode()) + masking.feed(b"y" * 70_000)
    told += masking.rest()

    assert KEY.encode() not in told
    assert told == b"x" * (80 * 997) + b" [masked] " + b"y" * 70_000


def test_a_secret_of_the_environment_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "open sesame, please")

    masking = Masking()

    assert masking.feed(b"say open sesame, please\n") == b"say [masked]\n"
