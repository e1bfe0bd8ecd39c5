"""Whether an error says that a provider would not serve, why, and until when: patterns over error texts (pure).

For texts that are known to be errors: a structured one of an agent's stream, or the end of what a failed agent printed
on standard error. An agent that merely talks about rate limits must not be asked about here. The texts are those that
agents and providers print as of 2026; what is not recognised is an ordinary failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from conductor_git.runner.agents.base import Limit

_LOOKED_AT: Final = 4096
"""So many characters at each end of a text are looked at."""
_FURTHEST: Final = timedelta(days=40)
"""A limit that is said to last longer than any provider's longest period is not believed."""


def _status(number: int, words: str) -> str:
    """An HTTP status where the text says that it is one: a bare number can be anything."""
    return rf"(?:status|error|http|code|rejected)\W{{0,12}}(?:code\W{{0,3}})?{number}\b|\b{number}\W{{1,3}}(?:{words})"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_KINDS: Final = (
    (
        Limit.AUTH,
        _any(
            r"(?:invalid|incorrect|missing|no) (?:x-)?api[ -]key|api[ _]key[ _](?:is )?(?:not|invalid|expired|missing)",
            r"authentication[ _](?:error|failed|required)|unauthenticated|not logged in|not authenticated",
            r"please (?:run /?)?log ?in|token (?:was |has |is )?(?:been )?(?:revoked|expired)|set an auth method",
            r"credit balance is too low|billing_error|payment required|insufficient[ _](?:quota|credits?|balance)",
            r"quota exceeded\. check your plan|out of credits|prepayment credits|organization has been disabled",
            _status(401, "unauthori[sz]ed"),
            _status(402, "payment"),
        ),
    ),
    (
        Limit.QUOTA,
        _any(
            r"(?:usage|session|weekly|daily|monthly|spend(?:ing)?)[ _]limit|hit your (?:[\w-]+ ){0,3}limit",
            r"quota[ _](?:was |has been )?(?:exceeded|exhausted)|quota will reset|exhausted your capacity",
            r"(?:exceeded|exhausted) your (?:[\w-]+ ){0,3}quota",
        ),
    ),
    (
        Limit.RATE,
        _any(
            r"rate[ _-]?limit|too many requests|overloaded|resource[ _](?:has been )?exhausted|at capacity|high demand",
            r"temporarily limiting requests|service (?:is )?(?:temporarily |currently )?unavailable",
            _status(429, "too many"),
            _status(503, "service"),
            _status(529, "overloaded"),
        ),
    ),
)
_HTTP: Final = {401: Limit.AUTH, 402: Limit.AUTH, 403: Limit.AUTH, 429: Limit.RATE, 503: Limit.RATE, 529: Limit.RATE}

_SECONDS_IN: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_NUMBER: Final = r"\d{1,9}(?:\.\d{1,9})?"
_PIECE: Final = rf"{_NUMBER} ?(?:ms|days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|[dhms])(?![a-z]),?"
_AGAIN: Final = r"(?:again|retry|resets?|retrydelay|wait|available|until)"
_EPOCH: Final = _any(r"\|(?P<bar>\d{10})\b", r"resets?_?at\W{1,4}(?P<at>\d{10})\b")
_BARE_SECONDS: Final = _any(rf"(?:retry[-_]after|resets_in_seconds)\W{{1,4}}({_NUMBER})(?![\w.])")
_ISO: Final = _any(_AGAIN + r"[^\n]{0,40}?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d))")
_RELATIVE: Final = _any(rf"{_AGAIN}[^\n\d]{{0,16}}((?:{_PIECE}\s*(?:and )?){{1,4}})")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK: Final = _any(
    r"(?:at|resets?)\s+"
    r"(?:(?P<month>[a-z]{3})[a-z]{0,6}\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?,?(?: (?P<year>\d{4}),?)? (?:at )?)?"
    r"(?P<hour>\d{1,2})(?:(?::(?P<minute>\d\d))? ?(?P<half>[ap])m\b|:(?P<plain>\d\d)\b)"
    r"(?: ?\(?(?P<zone>[A-Z][\w+-]*(?:/[\w+-]+){0,2}))?"
)


def told(text: str, now: datetime | None = None) -> tuple[Limit, datetime | None] | None:
    """What limit an error text tells, and until when; None where it tells none.

    Without `now`, only a time that needs no clock to be understood is told: `until` can be asked again later.
    """
    seen = _looked_at(text)
    kind = next((kind for kind, pattern in _KINDS if pattern.search(seen)), None)
    return None if kind is None else (kind, until(text, now))


def of_status(status: object) -> Limit | None:
    """The limit that an HTTP status of a provider means by itself."""
    return _HTTP.get(status) if isinstance(status, int) else None


def until(text: str, now: datetime | None = None) -> datetime | None:
    """When the limit that `text` tells is over, in UTC; a time of day without a zone is this machine's."""
    seen = _looked_at(text)
    for ask in (_by_epoch, _by_iso):
        if (found := ask(seen)) is not None:
            return _believed(found, now)
    if now is None:
        return None
    for reckon in (_by_seconds, _by_length, _by_clock):
        if (reckoned := reckon(seen, now)) is not None:
            return _believed(reckoned, now)
    return None


def at_epoch(seconds: object) -> datetime | None:
    """A time in seconds since 1970; None for what is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e11:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _looked_at(text: str) -> str:
    return text if len(text) <= 2 * _LOOKED_AT else f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"


def _believed(time: datetime, now: datetime | None) -> datetime | None:
    return None if now is not None and time - now > _FURTHEST else time


def _by_epoch(text: str) -> datetime | None:
    found = _EPOCH.search(text)
    return None if found is None else at_epoch(int(found["bar"] or found["at"]))


def _by_iso(text: str) -> datetime | None:
    found = _ISO.search(text)
    return None if found is None else _made(lambda: datetime.fromisoformat(found[1]).astimezone(UTC))


def _by_seconds(text: str, now: datetime) -> datetime | None:
    found = _BARE_SECONDS.search(text)
    return None if found is None else now + timedelta(seconds=float(found[1]))


def _by_length(text: str, now: datetime) -> datetime | None:
    found = _RELATIVE.search(text)
    if found is None:
        return None
    pieces = re.findall(rf"({_NUMBER}) ?(ms|[dhms])", found[1], re.IGNORECASE)
    seconds = sum(float(number) * _SECONDS_IN[unit.lower()] for number, unit in pieces)
    return _made(lambda: now + timedelta(seconds=seconds))


def _by_clock(text: str, now: datetime) -> datetime | None:
    """The next time that the clock shows what is told."""
    found = _CLOCK.search(text)
    if found is None:
        return None
    local = now.astimezone(_zone(found["zone"]))
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "p" else 0)
    moment = _made(lambda: local.replace(hour=hour, minute=int(found["minute"] or found["plain"] or 0), second=0))
    if moment is None:
        return None
    if found["month"]:
        return _on_day(found, moment, now)
    return (moment if moment > local else moment + timedelta(days=1)).astimezone(UTC)


def _on_day(found: re.Match[str], moment: datetime, now: datetime) -> datetime | None:
    name, day = found["month"].lower(), int(found["day"])
    if name not in _MONTHS:
        return None
    month, year = _MONTHS.index(name) + 1, int(found["year"] or moment.year)
    dated = _made(lambda: moment.replace(year=year, month=month, day=day))
    if dated is not None and dated < now and not found["year"]:
        dated = _made(lambda: moment.replace(year=year + 1, month=month, day=day))  # in December, of a day in January
    return None if dated is None else dated.astimezone(UTC)


def _zone(name: str | None) -> tzinfo | None:
    """The zone of that name; None, which stands for this machine's, for none and for a word that is none."""
    try:
        return ZoneInfo(name) if name else None
    except (OSError, ValueError, KeyError):
        return None


def _made(make: Callable[[], datetime]) -> datetime | None:
    """A time, or None where no calendar has it."""
    try:
        return make()
    except (ValueError, OverflowError):
        return None
