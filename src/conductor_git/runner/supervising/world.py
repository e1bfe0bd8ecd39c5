"""What a supervisor has of the world: the time, and a wait that an end or a signal cuts short. Injected."""

from __future__ import annotations

import os
import select
import signal
import time
from datetime import datetime
from types import FrameType
from typing import Final, Protocol

from conductor_git.run import utcnow
from conductor_git.runner.child import Child

_LOOK_SECONDS: Final = 0.2
"""Where the system has no handle on a process, so often we look whether it is over."""
_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class World(Protocol):
    """Time, waiting, and whether somebody has asked us to end."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float:
        """Seconds that count only while the machine is awake, where the system can tell."""
        ...

    @property
    def is_told_to_end(self) -> bool: ...

    def wait(self, seconds: float, child: Child | None = None) -> None:
        """Return after `seconds`, or sooner once `child` is over or somebody asks us to end."""
        ...


class RealWorld:
    """The clock and the signals of this process. To be made in the main thread."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        for end in (self._reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._told = False
        for number in _ENDING:
            signal.signal(number, self._tell)

    def _tell(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is signal's
        self._told = True

    def now(self) -> datetime:
        return utcnow()

    def monotonic(self) -> float:
        return time.monotonic()

    @property
    def is_told_to_end(self) -> bool:
        return self._told

    def wait(self, seconds: float, child: Child | None = None) -> None:
        if self._told or seconds <= 0:
            return
        ready = select.poll()
        ready.register(self._reader, select.POLLIN)
        handle = child.fileno() if child is not None else None
        if handle is not None:
            ready.register(handle, select.POLLIN)
        elif child is not None:
            seconds = min(seconds, _LOOK_SECONDS)
        ready.poll(max(1, int(seconds * 1000)))
        self._drain()

    def _drain(self) -> None:
        try:
            os.read(self._reader, 512)
        except BlockingIOError:
            return
