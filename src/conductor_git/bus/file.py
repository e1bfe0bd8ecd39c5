"""The bus in one file, shared by processes through flock (design: formats.md, "The bus")."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_git import durable
from conductor_git.bus.append import Appender
from conductor_git.message import Message, selector

if TYPE_CHECKING:
    from conductor_git.bus.base import Report
    from conductor_git.bus.read import Reader


class FileBus:
    """The bus at `path`, made by its first message. A writer waits for its lock for `seconds`, then `LockTimeout`.

    Readers take no lock: they stop before a message that is being written, and pass over a damaged one.
    """

    def __init__(self, path: Path, seconds: float = 10) -> None:
        self.path = path
        self._appender = Appender(path, seconds)

    def append(self, message: Message) -> str:
        """Store `message` and return its new id; whole, in its place and on disk when this returns.

        The flush follows the unlock, so that writers who wait share one. An error means that the message is not
        acknowledged; after a failed flush (`BusDamaged`) readers may see it all the same.
        """
        return self._appender.append(message)

    def read(
        self,
        since: str | None = None,
        limit: int | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
    ) -> Generator[Message, None, None]:
        """The messages after `since`, in constant memory; an unknown cursor is refused before the first `next`."""
        return self._reader().read(since, limit, selector(types, task_id))

    def tail(self, n: int, types: Collection[str] = (), task_id: str | None = None) -> list[Message]:
        """The last `n` messages that match, oldest first."""
        return self._reader().tail(n, selector(types, task_id))

    def follow(
        self,
        since: str | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Generator[Message, None, None]:
        """The messages after `since` (None: all), then each new one a few milliseconds after its append."""
        return self._reader().follow(since, selector(types, task_id), stop)

    def verify(self) -> Report:
        """Read everything and tell what is wrong with it; changes nothing."""
        return self._reader().verify(self.flush_failure())

    def flush_failure(self) -> str | None:
        """What the flush said that failed, since which the bus takes no message; None where none did."""
        try:
            return durable.read_regular(self._appender.failure_marker, 4096).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return None

    def forget_flush_failure(self) -> None:
        """Take messages again: for `doctor`, once what the file holds was looked at."""
        self._appender.forget_failure()

    def _reader(self) -> Reader:
        # Whoever only posts does not pay for the import of the decoder.
        from conductor_git.bus.read import Reader

        return Reader(self.path)
