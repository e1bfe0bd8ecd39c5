"""Sleeping until something happens on the bus, somebody wakes us, or it is time for a look."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import Final, Protocol

from conductor_git.bus.base import Bus
from conductor_git.bus.current import CurrentBus
from conductor_git.bus.watching.stop import Stop

_TYPES: Final = ("STATE", "RUN_START", "RUN_STOP", "RUN_CRASH", "REVIEW", "LANDED", "BOUNCED")


class Waiter(Protocol):
    def cursor(self) -> str | None:
        """The last message there is; None on an empty bus."""
        ...

    def wait(self, since: str | None, seconds: float) -> None:
        """Return after a message that is newer than `since`, after a `wake`, or after `seconds`."""
        ...

    def wake(self) -> None:
        """End the wait that is under way, or else the next one. For other threads and signal handlers."""
        ...


class BusWaiter:
    """Sleeps on the project's bus; costs nothing while nothing happens."""

    def __init__(self, bus: Bus | CurrentBus) -> None:
        self._bus = bus
        self._stop: Stop | None = None
        self._is_woken = False

    def cursor(self) -> str | None:
        last = self._bus.tail(1)
        return last[-1].msg_id if last else None

    def wait(self, since: str | None, seconds: float) -> None:
        with Stop(seconds) as stop:
            self._stop = stop
            try:
                if not self._is_woken:
                    with closing(self._bus.follow(since, _TYPES, stop=stop)) as messages:
                        next(messages, None)
            finally:
                self._stop, self._is_woken = None, False

    def wake(self) -> None:
        self._is_woken = True
        stop = self._stop
        if stop is not None:
            with suppress(OSError):  # it was closed just now, and so the wait is over
                stop.set()
