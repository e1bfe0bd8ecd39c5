"""Lengths of time as people write them in the config: `90s`, `15m`, `1h30m`."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_WHOLE: Final = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,3})?[dhms])+|[0-9]{1,9}(?:\.[0-9]{1,3})?", re.ASCII)
_PART: Final = re.compile(r"([0-9.]+)([dhms]?)", re.ASCII)
LONGEST: Final = 366 * 86400.0
"""Longer than anything waits; also keeps every sum with a clock's time far from overflow."""


def parse_duration(text: str) -> float:
    """`text` in seconds; a bare number counts seconds. `ValueError` for nothing, none at all or over a year."""
    compact = text.replace(" ", "").lower()
    if not _WHOLE.fullmatch(compact):
        raise ValueError(f"must be a length of time such as 90s, 15m or 1h30m, not {text[:40]!r}")
    seconds = sum(float(number) * _UNITS[unit or "s"] for number, unit in _PART.findall(compact))
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"must be longer than nothing and at most a year, not {text[:40]!r}")
    return seconds


def format_duration(seconds: float) -> str:
    """`seconds` in the fewest units that give it back: `900.0` is `15m`, `5400.0` is `1h30m`."""
    milliseconds = round(seconds * 1000)
    parts = []
    for unit in "dhm":
        count, milliseconds = divmod(milliseconds, round(_UNITS[unit] * 1000))
        parts += [f"{count}{unit}"] if count else []
    if milliseconds or not parts:
        parts.append(f"{milliseconds / 1000:g}s")
    return "".join(parts)
