"""What a provider's refusals mean, how it is asked, and what an answer adds up to, without any connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_git.errors import BadInput
from conductor_git.runner.agents.base import Limit
from conductor_git.runner.agents.chatting import sse
from conductor_git.runner.agents.chatting.answer import Answer
from conductor_git.runner.agents.chatting.dialect import Completions, Responses
from conductor_git.runner.agents.chatting.provider import checked_key, checked_url
from conductor_git.runner.agents.chatting.refusal import failure, refusal, retry_after

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "body", "limit"),
    [
        (401, b'{"error": {"message": "Incorrect API key provided"}}', Limit.AUTH),
        (402, b'{"error": "Payment required"}', Limit.AUTH),
        (403, b'{"error": "Forbidden"}', Limit.AUTH),
        (403, b'{"code": "x", "error": "Your team has used all available credits"}', Limit.AUTH),
        (429, b'{"error": "reached its monthly spending limit. Please purchase more credits"}', Limit.AUTH),
        (429, b'{"error": {"message": "You exceeded it", "type": "insufficient_quota"}}', Limit.AUTH),
        (429, b'{"error": "You have hit your monthly limit"}', Limit.QUOTA),
        (429, b'{"error": {"message": "Too many requests"}}', Limit.RATE),
        (429, b"<html>slow down", Limit.RATE),
        (429, b"", Limit.RATE),
        (408, b"", Limit.RATE),
        (500, b'{"error": {"message": "oh"}}', Limit.RATE),
        (503, b"", Limit.RATE),
        (529, b"\xff\0 overloaded", Limit.RATE),
        (400, b'{"error": {"message": "max_tokens is too large"}}', None),
        (404, b'{"error": "The model grok-0 does not exist"}', None),
        (422, b'{"detail": [{"msg": "field required"}]}', None),
    ],
)
def test_a_status_means_a_limit(status: int, body: bytes, limit: Limit | None) -> None:
    assert refusal(status, {}, body, NOON).limit is limit


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ("Overloaded (overloaded_error)", Limit.RATE),
        ("The server had an error (server_error)", Limit.RATE),
        ("You exceeded your current quota (insufficient_quota)", Limit.AUTH),
        ("Your team has reached its monthly spending limit", Limit.AUTH),
        ("invalid api key", Limit.AUTH),
        ("the prompt is too long", None),
    ],
)
def test_an_error_in_the_middle_of_a_stream_means_a_limit_by_its_words(said: str, limit: Limit | None) -> None:
    assert failure(said, NOON).limit is limit


@pytest.mark.parametrize(
    ("value", "until"),
    [
        ("30", NOON + timedelta(seconds=30)),
        ("0.5", NOON + timedelta(seconds=0.5)),
        ("Fri, 20 Nov 2026 15:00:00 GMT", NOON + timedelta(hours=3)),
        ("Fri, 20 Nov 2026 16:00:00 +0100", NOON + timedelta(hours=3)),
        ("Fri, 20 Nov 2020 15:00:00 GMT", NOON),
        ("999999999", NOON + timedelta(days=32)),
        ("Fri, 20 Nov 9999 15:00:00 GMT", NOON + timedelta(days=32)),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 400, None),
        ("Fri, 99 Nov 2026 15:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_of_http(value: str, until: datetime | None) -> None:
    assert retry_after(value, NOON) == until


def test_the_words_of_a_refusal_are_one_short_line() -> None:
    said = refusal(400, {}, b'{"error": {"message": "no\\n\\nsuch ' + b"x" * 5000 + b'", "code": "c"}}', NOON).text

    assert said.startswith("HTTP 400: no such xxx")
    assert len(said) < 600


@pytest.mark.parametrize(
    "url", ["https://api.example.org/v1/", "http://127.0.0.1:1/v1", "http://localhost", "http://[::1]:9"]
)
def test_the_key_goes_over_https_or_to_this_machine(url: str) -> None:
    assert checked_url(url, "X_BASE_URL") == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/v1",
        "http://127.0.0.1.example.org/v1",
        "http://10.0.0.1/v1",
        "https://user:hunter2@example.org/v1",
        "https://user@example.org/v1",
        "ftp://127.0.0.1/v1",
        "https:///v1",
        "https://example.org/v1?key=hunter2",
        "https://example.org/v1#hunter2",
        "https://example.org:port/v1",
        "127.0.0.1:80",
        "http://[::1/v1",
        "hunter2",
    ],
)
def test_an_address_that_could_give_the_key_away_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_url(url, "X_BASE_URL")

    assert "X_BASE_URL" in refused.value.message
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize("key", [None, "", "  ", "two words", "kéy-0123456789", "key\n-0123456789", "key\x7f"])
def test_a_key_that_no_header_can_hold_is_refused(key: str | None) -> None:
    with pytest.raises(BadInput) as refused:
        checked_key(key, "X_API_KEY")

    assert "X_API_KEY" in refused.value.message
    assert not (key or "").strip() or str(key) not in refused.value.message


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("sonar", {"model": "perplexity/sonar", "tools": [{"type": "web_search"}]}),
        ("perplexity/sonar", {"model": "perplexity/sonar", "tools": [{"type": "web_search"}]}),
        ("sonar-pro", {"preset": "fast", "model": "perplexity/sonar"}),
        ("sonar-reasoning-pro", {"preset": "low", "model": "perplexity/sonar"}),
        ("high", {"preset": "high", "model": "perplexity/sonar"}),
    ],
)
def test_the_agent_api_takes_models_presets_and_the_names_of_the_old_models(model: str, asked: dict[str, Any]) -> None:
    assert Responses().body(model, "Why?") == {"input": "Why?", "stream": True, **asked}


def test_figures_that_every_chunk_repeats_are_not_added_up() -> None:
    answer = Answer()
    for count in (1, 2, 3):
        usage = {"prompt_tokens": 10, "completion_tokens": count, "cost": {"total_cost": count / 100}}
        Completions().take(answer, {"usage": usage, "citations": ["https://a.example", "https://b.example"]})

    assert (answer.tokens_in, answer.tokens_out, answer.cost_usd) == (10, 3, 0.03)
    assert list(answer.numbered.values()) == [("", "https://a.example"), ("", "https://b.example")]


def test_the_sources_of_the_last_chunk_count_with_their_titles() -> None:
    answer = Answer()
    for address in ("https://a.example", "https://b.example"):
        results = [{"title": "T", "url": address}]
        Completions().take(answer, {"search_results": results, "citations": ["https://c.example"]})

    assert answer.numbered == {1: ("T", "https://b.example")}


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "https://a.example/ b",
        "https://a.example/>x",
        "https://a.example\n# Heading",
        "",
        "ftp://a",
    ],
)
def test_a_source_that_is_no_address_is_not_listed(address: str) -> None:
    answer = Answer()
    answer.add("Yes.")
    answer.cite(1, "Title", address)

    assert answer.markdown == "Yes.\n"


def test_a_title_cannot_end_its_link_or_its_line() -> None:
    answer = Answer()
    answer.cite(1, "a](https://evil.example)\n# b", "https://a.example")

    assert answer.markdown.endswith("1. [a)(https://evil.example) # b](<https://a.example>)\n")


def test_two_sources_of_one_number_get_a_number_each() -> None:
    answer = Answer()
    for number, address in ((1, "https://a.example"), (1, "https://b.example"), (1, "https://a.example")):
        answer.cite(number, "", address)

    assert answer.numbered == {1: ("", "https://a.example"), 2: ("", "https://b.example")}


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 9))
def test_events_are_the_same_however_the_bytes_are_cut(data: list[bytes], size: int) -> None:
    whole = b"".join(b"data: " + part.replace(b"\n", b" ") + b"\n\n" for part in data) + b"data: cut of"
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]

    assert list(sse.events(pieces)) == list(sse.events([whole]))
    assert list(sse.events([whole])) == [
        text for part in data if (text := part.replace(b"\n", b" ").removesuffix(b"\r"))
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["choices", "delta", "content", "usage", "error", "type", "response", "results", "id", "url"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_chunk_is_so_odd_that_it_stops_the_reading(chunk: object) -> None:
    answer = Answer()
    for dialect in (Completions(), Responses()):
        for kind in ("response.completed", "response.failed", "response.output_text.delta"):
            dialect.take(answer, {"type": kind, "choices": chunk, "usage": chunk, "response": chunk, "item": chunk})
            dialect.take(answer, chunk if isinstance(chunk, dict) else {})

    assert answer.bytes == len(answer.text.encode("utf-8", "replace"))
