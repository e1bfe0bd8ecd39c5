"""The leading process of an attempt, whether we started it or found it: waited for without asking again and again."""

from __future__ import annotations

import os
from typing import Protocol

from conductor_git import process
from conductor_git.process import identify, is_alive
from conductor_git.run import ProcessId


class Child(Protocol):
    """A process that we wait for."""

    @property
    def process(self) -> ProcessId: ...

    @property
    def is_over(self) -> bool: ...

    def fileno(self) -> int | None:
        """A descriptor that can be read from once the process is over; None where the system has none."""
        ...

    def reap(self) -> int | None:
        """The exit code, negative for a signal, once it is over; None where nobody can know it."""
        ...


class _Followed:
    """A process that is recognised, with the handle on it; how it ended is not known."""

    def __init__(self, process: ProcessId) -> None:
        self.process = process
        self._handle = _handle(process.pid)
        if not is_alive(process):  # the number may have been given to another one before we had a handle
            self._let_go()

    @property
    def is_over(self) -> bool:
        # Looked at and not reaped: its number stays its own until its group has been seen to.
        return not is_alive(self.process)

    def fileno(self) -> int | None:
        return self._handle

    def reap(self) -> int | None:
        self._let_go()
        return None

    def _let_go(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Adopted(_Followed):
    """A process that a supervisor before us started: its exit code went to whoever reaped it."""


class Launched(_Followed):
    """A child of ours, which nobody else can reap."""

    def __init__(self, child: process.Child) -> None:
        identity = identify(child.pid)
        assert identity is not None, "a child that nobody has reaped has a pid"
        super().__init__(identity)
        self._child = child

    def reap(self) -> int | None:
        super().reap()
        return self._child.wait()


def _handle(pid: int) -> int | None:
    """pidfd_open(2), on Linux since 5.3."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
