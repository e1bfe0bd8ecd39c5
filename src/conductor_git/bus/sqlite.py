"""The bus in one SQLite database (design: formats.md, "The bus"): for who wants one file and an index on it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git.bus.database.opening import Database
from conductor_git.bus.database.rows import (
    Wanted,
    insert,
    last_id,
    last_messages,
    message_at,
    place_of,
    rows_after,
    touch,
    unknown,
    wanted,
)
from conductor_git.bus.readers import parse_reader
from conductor_git.bus.ready import Desk
from conductor_git.bus.watching.tell import unheard
from conductor_git.message import Message, make_msg_id, next_time, timestamp

if TYPE_CHECKING:
    from conductor_git.bus.adoption import Coming, Piece
    from conductor_git.bus.base import Report
    from conductor_git.bus.halt import Halt
    from conductor_git.bus.watching.stop import Stop
    from conductor_git.bus.watching.tell import Tell

_PIECE: Final = 1 << 20
"""Bytes of adopted messages that are one transaction."""
_counter: Final = count()

Found = Generator[Message, None, None]


class SqliteBus:
    """The bus at `path`, made by its first message. A writer waits for others for `seconds`, then `LockTimeout`.

    Any number of processes and threads may use it, each its own object or all one, and a process may fork. Only on a
    local file system: SQLite's log is shared memory.
    """

    is_text = False

    def __init__(self, path: Path, seconds: float = 10) -> None:
        self.path = Path(os.path.abspath(path))
        self._database = Database(self.path, seconds)
        self._desk = Desk()

    @property
    def url(self) -> str:
        return f"sqlite:{self.path}"

    @property
    def halt(self) -> Halt:
        """Why the bus takes no message, and the way to let it take some again."""
        return self._database.halt

    def append(self, message: Message) -> str:
        """Store `message` and return its new id; whole, in its place and on disk when this returns.

        An error means that the message is not acknowledged; after `BusDamaged` readers may see it all the same.
        """
        made = self._desk.ready(message)
        with self._database.writing() as db:
            now = next_time(time.time_ns(), last_id(db))
            msg_id = make_msg_id(now, os.getpid(), next(_counter))
            insert(db, [(msg_id, message.type, message.task_id, made.seal(msg_id, timestamp(now)))])
        return msg_id

    def adopt(self, messages: Iterable[Message]) -> int:
        """Store messages of another bus as they are, a megabyte to a transaction."""
        from conductor_git.bus.adoption import adopt

        return adopt(messages, _PIECE, self._store)

    def read(
        self,
        since: str | None = None,
        limit: int | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
    ) -> Found:
        """The messages after `since`, in constant memory; an unknown cursor is refused before the first `next`."""
        return self._read(self._place(since), limit, wanted(types, task_id))

    def get(self, msg_id: str) -> Message:
        """The message with this id, or `UnknownCursor`."""
        place = self._place(msg_id)
        found = self._database.read(lambda db: message_at(db, place))
        if not isinstance(found, Message):
            raise unknown(self.path, msg_id)
        return found

    def tail(self, n: int, types: Collection[str] = (), task_id: str | None = None) -> list[Message]:
        """The last `n` messages that match, oldest first."""
        only = wanted(types, task_id)
        return self._database.read(lambda db: last_messages(db, n, only)) or []

    def follow(
        self,
        since: str | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> Found:
        """The messages after `since` (None: all), then each new one as soon as it was committed, until `stop`.

        Goes on where the database is cut or replaced by hand, with what is newer than the last message seen.
        `BusMoved` at the end of a bus that has moved.
        """
        from conductor_git.bus.database.follow import Follower

        follower = Follower(self._database, self._place(since), since, wanted(types, task_id), tell or unheard)
        return follower.messages(stop)

    def verify(self) -> Report:
        """Read everything and tell what is wrong with it; the offset of a damaged place is its row. Changes nothing."""
        from conductor_git.bus.database.check import check

        return check(self._database)

    def acknowledged(self, reader: str) -> str | None:
        """The last message that `reader` has dealt with; None for one who never acknowledged any."""
        name = parse_reader(reader)
        return self._database.read(lambda db: _cursor(db, name))

    def acknowledge(self, reader: str, msg_id: str) -> str:
        """Remember durably that `reader` has dealt with everything up to `msg_id`, and return the cursor in force."""
        name, place = parse_reader(reader), self._place(msg_id)
        with self._database.writing(though_moved=True) as db:
            known = _cursor(db, name)
            if known is not None and (place_of(db, known) or 0) >= place:
                return known
            db.execute("INSERT OR REPLACE INTO reader (name, cursor) VALUES (?, ?)", (name, msg_id))
        return msg_id

    def readers(self) -> dict[str, str]:
        """Reader → cursor, by name."""
        return self._database.read(_cursors) or {}

    def hand_over(self, url: str, rest: Callable[[], None]) -> None:
        """With all writers kept out: call `rest`, and then send writers to `url`."""
        with self._database.writing() as db:
            rest()
            self.halt.moved(url)
            # Changes nothing, and wakes those who follow, so that they learn of it.
            touch(db)

    def _place(self, msg_id: str | None) -> int:
        """The place of this message, or of none; `UnknownCursor` where it is not on the bus."""
        if msg_id is None:
            return 0
        place = self._database.read(lambda db: place_of(db, msg_id))
        if place is None:
            raise unknown(self.path, msg_id)
        return place

    def _store(self, coming: list[Coming]) -> Piece:
        from conductor_git.bus.adoption import in_order

        with self._database.writing(though_moved=True) as db:
            taken = in_order(coming, last_id(db))
            insert(db, ((one.msg_id, one.type, one.task_id, frame) for one, frame in taken.coming))
        return taken

    def _read(self, place: int, limit: int | None, only: Wanted) -> Found:
        # Each piece is a transaction of its own: one that lasted as long as its reader would keep the log growing.
        left = limit
        while left is None or left > 0:
            rows = self._database.read(lambda db, place=place, left=left: rows_after(db, place, only, left))  # type: ignore[misc]
            if not rows:
                return
            for row in rows:
                message = row.message
                if isinstance(message, Message):
                    left = None if left is None else left - 1
                    yield message
            place = rows[-1].place


def _cursor(db: sqlite3.Connection, reader: str) -> str | None:
    with closing(db.execute("SELECT cursor FROM reader WHERE name = ?", (reader,))) as found:
        row: tuple[str] | None = found.fetchone()
    return None if row is None else row[0]


def _cursors(db: sqlite3.Connection) -> dict[str, str]:
    return dict(db.execute("SELECT name, cursor FROM reader ORDER BY name"))
