"""Waiting for another process, by asking for the fact itself and never by a length of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

_Answer = TypeVar("_Answer")
_PAUSE: Final = 0.01


def until(ask: Callable[[], _Answer], *, seconds: float = 60) -> _Answer:
    """The first true answer of `ask`, asked again and again.

    `seconds` only ends a hang: no test may depend on it, and a slow machine may take all of it.
    """
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, f"still not so after {seconds} s: {getattr(ask, '__qualname__', ask)}"
        threading.Event().wait(_PAUSE)
    return answer
