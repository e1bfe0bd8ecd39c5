"""How numbers, lengths of time and names in a row are told to people (no I/O)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NAMED: Final = 5
_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60))


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def age(seconds: float) -> str:
    """A length of time in its largest unit, as `3m`; never negative, whatever two clocks say."""
    whole = max(0, int(seconds))
    for unit, length in _UNITS:
        if whole >= length:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def size(number: int) -> str:
    """A number of bytes in its largest unit, as `1.2 MB`, a thousand of one being one of the next."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:  # what would be shown as 1000.0
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def several(names: Sequence[str], most: int = _NAMED) -> str:
    """`a, b`; of more than `most` the first, and how many more there are: `a, b and 3 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def listed(names: Sequence[str]) -> str:
    """`a, b and c`, as a sentence has it; of many as `several`."""
    if len(names) > _NAMED:
        return several(names)
    *others, last = names or [""]
    return f"{', '.join(others)} and {last}" if others else last
