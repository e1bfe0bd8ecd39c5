"""Between two terminals: what is typed goes to the agent's, what it prints comes to ours and to its log."""

from __future__ import annotations

import os
import select
import signal
import termios
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from conductor_git import durable

_CHUNK: Final = 1 << 16
_TYPED: Final = 1 << 20
"""So much that was typed waits for an agent that does not read."""
_LEFT: Final = 64
"""So many pieces are taken of what was printed before the end; a straggler may print for ever."""
_TOLD: Final = (signal.SIGCHLD, signal.SIGWINCH, signal.SIGHUP, signal.SIGTERM)


class Carrying:
    """Carries between our terminal and `terminal`, that of our child `agent`, and appends to `log`.

    Where ours goes (a hangup), so does the agent's: it is told as anywhere. A request to end is left unheard, as the
    agent gets its own, and then we end by ourselves. A log that takes no more is no reason to end it.
    """

    def __init__(self, agent: int, terminal: int, log: int) -> None:
        self._agent, self._log = agent, log
        self._terminal: int | None = terminal
        self._typed = bytearray()
        self._keyboard: int | None = 0
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer, terminal):
            os.set_blocking(end, False)

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in _TOLD:
            signal.signal(number, lambda *_: None)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._hang_up()

    def until_over(self) -> int:
        """The agent's exit code, negative for a signal, as soon as it has ended."""
        while True:
            ended, status = os.waitpid(self._agent, os.WNOHANG)
            if ended:
                self._drain()
                return os.waitstatus_to_exitcode(status)
            self._once()

    def _once(self) -> None:
        sources = [self._reader]
        sources += [self._keyboard] if self._keyboard is not None and len(self._typed) < _TYPED else []
        sources += [self._terminal] if self._terminal is not None else []
        sinks = [self._terminal] if self._typed and self._terminal is not None else []
        readable, writable, _ = select.select(sources, sinks, [])
        if self._reader in readable:
            self._hear()
        if self._keyboard in readable:
            self._take_typed()
        if self._terminal is not None and self._terminal in writable:
            self._pass_typed()
        if self._terminal is not None and self._terminal in readable and not self._pass_printed():
            self._hang_up()

    def _hear(self) -> None:
        told = os.read(self._reader, _CHUNK)
        if signal.SIGHUP in told:
            self._hang_up()
        elif self._terminal is not None:
            with suppress(OSError, termios.error):
                termios.tcsetwinsize(self._terminal, termios.tcgetwinsize(0))

    def _take_typed(self) -> None:
        try:
            data = os.read(0, _CHUNK)
        except OSError:
            data = b""
        self._typed += data
        if not data:
            self._keyboard = None

    def _pass_typed(self) -> None:
        assert self._terminal is not None, "asked by whoever knows that it is there"
        with suppress(OSError):
            del self._typed[: os.write(self._terminal, self._typed)]

    def _pass_printed(self) -> bool:
        """Pass one piece on; False where no more can come."""
        assert self._terminal is not None, "asked by whoever knows that it is there"
        try:
            data = os.read(self._terminal, _CHUNK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        for sink in (self._log, 1):
            with suppress(OSError):
                durable.write_all(sink, data)
        return bool(data)

    def _drain(self) -> None:
        for _ in range(_LEFT):
            if self._terminal is None or not select.select([self._terminal], [], [], 0)[0]:
                return
            if not self._pass_printed():
                return

    def _hang_up(self) -> None:
        """Close the agent's terminal: what runs on it is sent a hangup by the kernel."""
        if self._terminal is not None:
            os.close(self._terminal)
        self._terminal = self._keyboard = None
