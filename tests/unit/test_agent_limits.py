"""Which errors say that a provider would not serve, why, and until when: as agents and providers print them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from conductor_git.runner.agents.base import Limit
from conductor_git.runner.agents.limits import at_epoch, of_status, told, until

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER: Final = {
    "Claude AI usage limit reached|1795348800": timedelta(days=1),
    "You've hit your session limit · resets 1:10am (UTC)": timedelta(hours=13, minutes=10),
    "You've hit your Opus limit · resets 3pm (Europe/Warsaw)": timedelta(hours=2),
    "You've hit your limit · resets Nov 25 at 9pm (UTC)": timedelta(days=4, hours=9),
    "You've hit your usage limit. Visit the settings or try again at Dec 8th, 2026 12:30 PM UTC": timedelta(17, 1800),
    "You've hit your usage limit. Ask your admin or try again in 3 days 6 hours 57 minutes.": timedelta(3, 25020),
    '{"type": "usage_limit_reached", "resets_at":1795262460,"resets_in_seconds":13872}': timedelta(minutes=1),
    "You exceeded your current quota, please check your plan. Please retry in 34.5s.": timedelta(seconds=34.5),
    "You have exhausted your capacity on this model. Your quota will reset after 2h34m8s.": timedelta(0, 9248),
    "Usage limit reached, available again at 2026-11-21T13:00:00+01:00": timedelta(0),
}
SOON: Final = {
    "Rate limit reached for gpt-5 on tokens per min. Please try again in 1.2s. Visit": timedelta(seconds=1.2),
    "exceeded retry limit, last status: 429 Too Many Requests, try again in 170ms": timedelta(milliseconds=170),
    '{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "retryDelay": "34s"}}': timedelta(seconds=34),
    "HTTP 429\nretry-after: 30\n": timedelta(seconds=30),
}
RATE: Final = (
    "API Error: Repeated 529 Overloaded errors. The API is at capacity",
    "API Error: Request rejected (429) · This request would exceed your organization rate limit.",
    '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    "429 Too Many Requests",
    "unexpected status 503 Service Unavailable",
    "The model is overloaded. Please try again later.",
    "Resource has been exhausted (e.g. check quota).",
)
AUTH: Final = (
    "Invalid API key · Please run /login",
    "Not logged in · Please run /login",
    "OAuth token has expired. Please obtain a new token",
    '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}',
    "Credit balance is too low",
    "unexpected status 401 Unauthorized: Missing bearer",
    "Quota exceeded. Check your plan and billing details.",
    '{"error": {"code": "insufficient_quota"}}',
    "API key not valid. Please pass a valid API key.",
    "402 Payment Required",
)
NONE: Final = (
    "",
    "API Error: 500 Internal server error",
    "Gemini CLI is not running in a trusted directory.",
    "429 passed, 401 failed, 503 skipped",
    "prices.py:429: error: Name 'limit' is not defined",
    "the tests of the speed limit failed",
    "Connection reset by peer",
)


@pytest.mark.parametrize("text", LATER)
def test_what_was_paid_for_is_used_up_until_the_time_that_is_told(text: str) -> None:
    assert told(text, NOON) == (Limit.QUOTA, NOON + LATER[text])


@pytest.mark.parametrize("text", SOON)
def test_too_much_at_once_passes_after_the_time_that_is_told(text: str) -> None:
    assert told(text, NOON) == (Limit.RATE, NOON + SOON[text])


@pytest.mark.parametrize("text", RATE)
def test_an_overloaded_provider_tells_no_time(text: str) -> None:
    assert told(text, NOON) == (Limit.RATE, None)


@pytest.mark.parametrize("text", AUTH)
def test_what_a_person_has_to_see_to_is_told_apart(text: str) -> None:
    assert told(text, NOON) == (Limit.AUTH, None)


@pytest.mark.parametrize("text", NONE)
def test_any_other_failure_is_no_limit(text: str) -> None:
    assert told(text, NOON) is None


@pytest.mark.parametrize(
    "text",
    [
        "rate limit, retry in 999999999 days",
        "rate limit resets 25:99pm",
        "rate limit resets Feb 31 at 9pm (UTC)",
        "rate limit resets Xyz 3 at 9pm",
        "usage limit reached|9999999999",
        "rate limit, try again at 2026-13-45T99:00:00Z",
    ],
)
def test_a_time_that_no_calendar_has_is_not_told(text: str) -> None:
    found = told(text, NOON)

    assert found is not None
    assert found[1] is None


def test_a_time_of_day_without_a_zone_is_this_machines() -> None:
    local = NOON.astimezone()
    soon = local + timedelta(minutes=90)

    assert until(f"try again at {soon:%I:%M %p}.", NOON) == soon
    assert until(f"resets {soon:%H:%M} (Moon/Base)", NOON) == soon


def test_a_day_of_next_january_is_told_in_december() -> None:
    late = datetime(2026, 12, 30, 12, tzinfo=UTC)

    assert until("resets Jan 2 at 9am (UTC)", late) == datetime(2027, 1, 2, 9, tzinfo=UTC)


def test_without_a_clock_only_what_needs_none_is_told() -> None:
    assert told("rate limit, try again in 20s") == (Limit.RATE, None)
    assert told("usage limit reached|1795348800") == (Limit.QUOTA, datetime(2026, 11, 22, 12, tzinfo=UTC))


def test_a_long_text_is_looked_at_where_it_begins_and_ends() -> None:
    noise = "retry 20 resets a:b " * 100_000

    assert told(f"429 Too Many Requests {noise}", NOON) == (Limit.RATE, None)
    assert told(f"{noise} Invalid API key", NOON) == (Limit.AUTH, None)


def test_a_status_alone_tells_what_it_means() -> None:
    assert [of_status(status) for status in (401, 403, 402, 429, 529, 503)] == [Limit.AUTH] * 3 + [Limit.RATE] * 3
    odd: tuple[object, ...] = (200, 500, None, "429", [])
    assert [of_status(status) for status in odd] == [None] * 5


@pytest.mark.parametrize("odd", [None, "soon", True, -5, 0, float("inf"), float("nan"), 10**30, []])
def test_a_time_that_is_none_is_not_told(odd: object) -> None:
    assert at_epoch(odd) is None
