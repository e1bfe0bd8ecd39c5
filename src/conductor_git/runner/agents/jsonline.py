"""A line of JSON that somebody else wrote, taken apart without trust: what has another shape is not there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_LARGEST = 2**53


def parsed(line: str | bytes) -> Mapping[str, Any] | None:
    """The object that `line` holds; None where it holds anything else. Never raises."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def at(found: object, *path: str | int) -> object:
    """What is at `path` in `found`, by keys of objects and places of lists; None where there is nothing."""
    for step in path:
        if isinstance(step, str) and isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(step, int) and isinstance(found, list) and -len(found) <= step < len(found):
            found = found[step]
        else:
            return None
    return found


def listed(found: object, *path: str | int) -> list[object]:
    """The list at `path`; an empty one where there is none."""
    value = at(found, *path)
    return value if isinstance(value, list) else []


def text(found: object, *path: str | int) -> str:
    """The text at `path`, as UTF-8 can hold it; empty where there is none."""
    value = at(found, *path)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def count(found: object, *path: str | int) -> int | None:
    """The number of things at `path`; None where there is no such number."""
    value = at(found, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None


def amount(found: object, *path: str | int) -> float | None:
    """The sum of money at `path`; None where there is none."""
    value = at(found, *path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        return None
    return float(value) if math.isfinite(value) else None


def together(*counts: int | None) -> int | None:
    """The sum of those that are known; None where none is."""
    known = [one for one in counts if one is not None]
    return sum(known) if known else None
