"""Calls under way: a client may take one back, and a tool that waits ends then; a change is finished all the same."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from conductor_git.bus.watching.stop import Stop


class Call:
    """Given to a tool for the time that it runs. `end` may come from another thread, at any time, and more than once.

    What is past waiting runs to its end: a change that was begun is finished and on record, though nobody hears of it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stop: Stop | None = None
        self._has_ended = False

    @contextmanager
    def until(self, seconds: float) -> Iterator[Stop]:
        """What a tool waits on: set after `seconds`, or when the client takes the call back."""
        with Stop(seconds) as stop:
            self._hold(stop)
            try:
                yield stop
            finally:
                self._hold(None)

    def end(self) -> None:
        with self._lock:
            self._has_ended = True
            if self._stop is not None:
                self._stop.set()

    def _hold(self, stop: Stop | None) -> None:
        with self._lock:
            self._stop = stop
            if stop is not None and self._has_ended:
                stop.set()


class Calls:
    """The calls under way that change something: a server that ends lets them come to their end first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        self._add(1)
        try:
            yield
        finally:
            self._add(-1)

    def drained(self) -> None:
        """Return once none is under way."""
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)

    def _add(self, number: int) -> None:
        with self._changed:
            self._count += number
            self._changed.notify_all()
