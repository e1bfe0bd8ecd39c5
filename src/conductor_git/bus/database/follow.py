"""Following a bus database: every message once, in order, as soon as it was committed."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from typing import Final

from conductor_git.bus.database.connections import Kept
from conductor_git.bus.database.failures import is_busy
from conductor_git.bus.database.opening import Database
from conductor_git.bus.database.rows import Row, Wanted, last_place, place_of, rows_after
from conductor_git.bus.watching.looks import sleep
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import Tell, cut_by_hand
from conductor_git.bus.watching.watch import Watch
from conductor_git.errors import LockTimeout
from conductor_git.message import Message, id_key, id_time

_PAUSE: Final = 0.05


class Follower:
    """A place in the database that moves on with it; `seen` is the last id before it, if any."""

    def __init__(self, database: Database, place: int, seen: str | None, only: Wanted, tell: Tell) -> None:
        self._database = database
        self._place = place
        self._seen = seen or ""
        self._only = only
        self._tell = tell
        self._inode: int | None = None
        self._again = False
        self._told = False

    def messages(self, stop: Stop | None) -> Generator[Message, None, None]:
        """The messages after the place, then each new one, until `stop`; `BusMoved` at the end of a moved bus."""
        with Watch(self._database.log, self._tell) as watch, self._database.keeping() as kept:
            while stop is None or not stop.is_set:
                watch.arm()
                moved = self._database.halt.moved_to
                rows, is_settled = self._look(kept)
                if not rows and moved is not None:
                    self._database.halt.require_none()
                if rows:
                    yield from self._unseen(rows)
                elif is_settled:
                    watch.wait(stop)
                elif self._told:
                    sleep(stop, seconds=_PAUSE)

    def _look(self, kept: Kept) -> tuple[list[Row], bool]:
        """What is new, or, where nothing is, whether there is none for sure.

        The log is written before a commit counts, and nothing tells of that. So whoever was writing when the watch was
        armed must be done before the look that finds nothing: the message that it has written would wake nobody.
        """
        try:
            if rows := self._rows(kept):
                return rows, True
            is_settled = self._database.look(kept, _try_to_write) is not False
            return self._rows(kept), is_settled
        except LockTimeout:
            return [], False
        except _NotOurs:
            # Opened anew the next time: a connection that may not write can be one to which nothing ever changes.
            kept.inode = None
            self._say_once()
            return [], False

    def _rows(self, kept: Kept) -> list[Row]:
        return self._database.look(kept, lambda db: self._next(db, kept.inode)) or []

    def _next(self, db: sqlite3.Connection, inode: int | None) -> list[Row]:
        is_other = self._inode not in (None, inode)
        self._inode = inode
        if is_other or last_place(db) < self._place:
            self._tell(cut_by_hand(self._database.path, self._seen))
            self._place, self._again = place_of(db, self._seen) or 0, True
        return rows_after(db, self._place, self._only)

    def _unseen(self, rows: list[Row]) -> Iterator[Message]:
        for row in rows:
            self._place = row.place
            message = row.message
            if not isinstance(message, Message):
                continue
            if id_time(message.msg_id) is None:
                yield message
            elif not self._again or id_key(message.msg_id) > id_key(self._seen):
                self._seen = message.msg_id
                yield message

    def _say_once(self) -> None:
        if not self._told:
            self._told = True
            self._tell(
                f"{self._database.path} is looked at every {_PAUSE * 1000:.0f} ms, since we may not write to it; "
                "messages come a little later."
            )


class _NotOurs(Exception):
    """The database is not ours to write to."""


def _try_to_write(db: sqlite3.Connection) -> bool:
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        if is_busy(error):
            return False
        raise _NotOurs from error
    return True
