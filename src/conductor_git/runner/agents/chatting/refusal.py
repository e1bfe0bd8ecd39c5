"""What a provider means by refusing: whether it passes by itself, and when (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from conductor_git.runner.agents import jsonline, limits
from conductor_git.runner.agents.base import Limit

_MONEY: Final = re.compile(
    r"insufficient[_ ](?:quota|credits?|balance|funds)|credits?\b.{0,80}\b(?:exhausted|used)"
    r"|(?:out of|used all).{0,40}credits|spending[- ]limit|billing|payment",
    re.IGNORECASE,
)
"""No money is left, and no time brings it back."""
_FAULT: Final = re.compile(r"server_error|internal(?: server)? error", re.IGNORECASE)
_LONGEST: Final = timedelta(days=32)
_CHARACTERS: Final = 500
_FIRST_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer. Without a `limit` the request itself was wrong, and asking again will not help."""

    text: str
    limit: Limit | None = None
    until: datetime | None = None


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: datetime) -> Refusal:
    """What a response that is no answer says; `body` may be cut off or anything at all."""
    said = told(body)
    limit = _by_status(status, said)
    until = None
    if limit in (Limit.RATE, Limit.QUOTA):
        until = retry_after(headers.get("retry-after", ""), now) or limits.until(said, now)
    return Refusal(f"HTTP {status}" + (f": {said}" if said else ""), limit, until)


def failure(said: str, now: datetime) -> Refusal:
    """What an error in the middle of a stream says, which has no status."""
    if _MONEY.search(said):
        return Refusal(said[:_CHARACTERS], Limit.AUTH)
    limit, until = limits.told(said, now) or (Limit.RATE if _FAULT.search(said) else None, None)
    return Refusal(said[:_CHARACTERS], limit, until)


def told(body: bytes) -> str:
    """The message of an error's body, in one line of at most 500 characters."""
    found = jsonline.parsed(body)
    texts = [
        *(jsonline.text(found, *path) for path in (("error", "message"), ("error",), ("message",), ("detail",))),
        *(jsonline.text(found, "detail", 0, place) for place in ("msg",)),
    ]
    codes = [jsonline.text(found, *path) for path in (("error", "type"), ("error", "code"), ("code",))]
    text = next(filter(None, texts), "" if found is not None else body.decode("utf-8", "replace"))
    code = ", ".join(dict.fromkeys(filter(None, codes)))
    line = " ".join(f"{text} ({code})".split()) if code else " ".join(text.split())
    return line if len(line) <= _CHARACTERS else f"{line[:_CHARACTERS]}…"


def _by_status(status: int, said: str) -> Limit | None:
    if status in (401, 402, 403) or (status == 429 and _MONEY.search(said)):
        return Limit.AUTH
    if status == 429:
        return Limit.QUOTA if (limits.told(said) or (None,))[0] is Limit.QUOTA else Limit.RATE
    return Limit.RATE if status == 408 or status >= _FIRST_SERVER_ERROR else None


def retry_after(value: str, now: datetime) -> datetime | None:
    """When the header `Retry-After` asks to come again: seconds or a date of HTTP; never before `now`, nor in years."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value, re.ASCII):
        return now + min(timedelta(seconds=float(value)), _LONGEST)
    try:
        when = parsedate_to_datetime(value)
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        return min(max(when.astimezone(UTC), now), now + _LONGEST)
    except (ValueError, OverflowError):
        return None
