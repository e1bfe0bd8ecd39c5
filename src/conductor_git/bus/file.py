"""The bus in files, shared by processes through flock (design: formats.md, "The bus")."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git.bus.segments.listing import SEGMENT_BYTES
from conductor_git.message import Message, id_key, id_time, selector

if TYPE_CHECKING:
    from conductor_git.bus.base import Report
    from conductor_git.bus.halt import Halt
    from conductor_git.bus.ready import Desk
    from conductor_git.bus.segments.append import Appender
    from conductor_git.bus.watching.stop import Stop
    from conductor_git.bus.watching.tell import Tell

_PIECE: Final = 256 * 1024
"""Bytes of adopted messages that are written and flushed at once."""

Found = Generator[Message, None, None]


class FileBus:
    """The bus at `path`, made by its first message. A writer waits for its lock for `seconds`, then `LockTimeout`.

    A file that would get larger than `segment_bytes` is closed, and the bus goes on in a new one. Readers take no
    lock: they stop before a message that is being written, and pass over a damaged one. Whoever only posts does not
    pay for the import of what reads, nor whoever reads for that of what posts.
    """

    is_text = True

    def __init__(self, path: Path, seconds: float = 10, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.path = path
        self._seconds = seconds
        self._segment_bytes = segment_bytes

    @cached_property
    def _appender(self) -> Appender:
        from conductor_git.bus.segments.append import Appender

        return Appender(self.path, self._seconds, self._segment_bytes)

    @cached_property
    def _desk(self) -> Desk:
        from conductor_git.bus.ready import Desk

        return Desk()

    @property
    def url(self) -> str:
        return f"file:{self.path}"

    @property
    def halt(self) -> Halt:
        """Why the bus takes no message, and the way to let it take some again."""
        return self._appender.halt

    def append(self, message: Message) -> str:
        """Store `message` and return its new id; whole, in its place and on disk when this returns.

        The flush follows the unlock, so that writers who wait share one. An error means that the message is not
        acknowledged; after a failed flush (`BusDamaged`) readers may see it all the same.
        """
        return self._appender.append(self._desk.ready(message))

    def adopt(self, messages: Iterable[Message]) -> int:
        """Store messages of another bus as they are, in pieces that are each written and flushed as one."""
        from conductor_git.bus.adoption import adopt
        from conductor_git.bus.segments.adopt import store

        return adopt(messages, _PIECE, lambda coming: store(self._appender, coming))

    def read(
        self,
        since: str | None = None,
        limit: int | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
    ) -> Found:
        """The messages after `since`, in constant memory; an unknown cursor is refused before the first `next`."""
        from conductor_git.bus.segments.read import opened, read

        return opened(read(self.path, since, limit, selector(types, task_id)))

    def get(self, msg_id: str) -> Message:
        """The message with this id, or `UnknownCursor`."""
        from conductor_git.bus.segments.read import get

        return get(self.path, msg_id)

    def tail(self, n: int, types: Collection[str] = (), task_id: str | None = None) -> list[Message]:
        """The last `n` messages that match, oldest first."""
        from conductor_git.bus.segments.tail import tail

        return tail(self.path, n, types, task_id)

    def follow(
        self,
        since: str | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> Found:
        """The messages after `since` (None: all), then each new one as soon as it was written, until `stop`.

        Goes on across rotation, and where the file is cut or replaced by hand with what is newer than the last
        message seen. `BusMoved` at the end of a bus that has moved.
        """
        from conductor_git.bus.segments.follow import follow
        from conductor_git.bus.segments.read import opened

        return opened(follow(self.path, self.halt, since, selector(types, task_id), stop, tell))

    def verify(self) -> Report:
        """Read everything and tell what is wrong with it; changes nothing."""
        from conductor_git.bus.segments.check import check

        return check(self.path, self.halt.reason)

    def acknowledged(self, reader: str) -> str | None:
        """The last message that `reader` has dealt with; None for one who never acknowledged any."""
        from conductor_git.bus.readers import Readers

        return Readers(self.path).get(reader)

    def acknowledge(self, reader: str, msg_id: str) -> str:
        """Remember durably that `reader` has dealt with everything up to `msg_id`, and return the cursor in force."""
        from conductor_git.bus.readers import Readers

        self.get(msg_id)
        return Readers(self.path).advance(reader, msg_id, self._is_after)

    def readers(self) -> dict[str, str]:
        """Reader → cursor, by name."""
        from conductor_git.bus.readers import Readers

        return Readers(self.path).all()

    def hand_over(self, url: str, rest: Callable[[], None]) -> None:
        """With all writers kept out: call `rest`, and then send writers to `url`."""
        with self._appender.held() as fd:
            rest()
            self.halt.moved(url)
            # Changes nothing, and wakes those who follow, so that they learn of it.
            os.ftruncate(fd, os.fstat(fd).st_size)

    def _is_after(self, one: str, other: str) -> bool:
        if id_time(one) is not None and id_time(other) is not None:
            return id_key(one) > id_key(other)
        # Ids of other tools say nothing about their order.
        return all(message.msg_id != other for message in self.read(since=one))
