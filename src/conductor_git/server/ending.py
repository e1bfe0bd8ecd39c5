"""The word that a server is to end, for everything that would go on for ever."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Ending:
    """Set once, from any thread; whoever asked to be told is called in the thread that sets it, and must not wait.

    An `asyncio` task asks with `on(lambda: loop.call_soon_threadsafe(event.set))`.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: dict[int, Callable[[], object]] = {}
        self._count = 0
        self._is_set = False

    @property
    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._lock:
            calls, self._calls, self._is_set = list(self._calls.values()), {}, True
        for call in calls:
            call()

    def on(self, call: Callable[[], object]) -> Callable[[], None]:
        """Let `call` be called when this is set, at once where it is already; returns what takes that back."""
        with self._lock:
            self._count += 1
            number = self._count
            if not self._is_set:
                self._calls[number] = call
        if self._is_set:
            call()
        return lambda: self._forget(number)

    def _forget(self, number: int) -> None:
        with self._lock:
            self._calls.pop(number, None)
