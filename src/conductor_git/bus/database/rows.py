"""What the rows of a bus database say: a frame each, exactly as the file backend would write it, and its filters."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from typing import Final, NamedTuple

from conductor_git.errors import UnknownCursor
from conductor_git.frames.decoder import Damage, decode
from conductor_git.message import Message, id_time
from conductor_git.names import is_text

SCHEMA: Final = """
CREATE TABLE message (
    place INTEGER PRIMARY KEY,
    msg_id TEXT NOT NULL,
    type TEXT NOT NULL,
    task_id TEXT,
    frame BLOB NOT NULL
);
CREATE INDEX message_by_id ON message (msg_id);
CREATE INDEX message_by_task ON message (task_id);
CREATE INDEX message_by_type ON message (type);
CREATE TABLE reader (name TEXT PRIMARY KEY, cursor TEXT NOT NULL) WITHOUT ROWID;
"""
"""An index ends with the place, so that each of them gives its rows in the order of the bus."""

_BATCH: Final = 1 << 20
_SELECT: Final = "SELECT place, msg_id, type, task_id, ifnull(CAST(frame AS BLOB), x'') FROM message"


class Row(NamedTuple):
    place: int
    msg_id: str
    type: str
    task_id: str | None
    frame: bytes

    @property
    def message(self) -> Message | Damage:
        """The message, or why the row holds none: its checksum and its columns guard it both."""
        found = decode(self.frame, 0, at_end=True).items
        first = found[0] if found else Damage(0, 0, "a message that ends early")
        if isinstance(first, Damage):
            return Damage(self.place, len(self.frame), first.reason)
        if len(found) > 1 or (first.msg_id, first.type, first.task_id) != self[1:4]:
            return Damage(self.place, len(self.frame), "a message that is not the one its row names")
        return first


class Wanted(NamedTuple):
    """A filter as SQL."""

    condition: str
    values: tuple[str, ...]


def wanted(types: Collection[str], task_id: str | None) -> Wanted:
    """Nothing named means all. A `+` keeps SQLite from an index that would not give the order of the bus."""
    conditions, values = "", []
    if task_id is not None:
        conditions += " AND task_id = ?" if is_text(task_id) else " AND 0"
        values += [task_id] if is_text(task_id) else []
    if types:
        storable = [kind for kind in types if is_text(kind)]
        column = "type" if task_id is None and len(storable) == 1 else "+type"
        conditions += f" AND {column} IN ({', '.join('?' * len(storable))})"
        values += storable
    return Wanted(conditions, tuple(values))


def rows_after(db: sqlite3.Connection, place: int, only: Wanted, limit: int | None = None) -> list[Row]:
    """The next rows after `place`, about a megabyte of them, so that memory does not grow with the bus."""
    found: list[Row] = []
    size = 0
    query = f"{_SELECT} WHERE place > ?{only.condition} ORDER BY place"
    with closing(db.execute(query, (place, *only.values))) as rows:
        while size < _BATCH and (limit is None or len(found) < limit) and (row := rows.fetchone()):
            found.append(Row(*row))
            size += len(row[-1])
    return found


def last_messages(db: sqlite3.Connection, n: int, only: Wanted) -> list[Message]:
    """The last `n` messages that match, oldest first."""
    found: list[Message] = []
    query = f"{_SELECT} WHERE 1{only.condition} ORDER BY place DESC"
    with closing(db.execute(query, only.values)) as rows:
        while len(found) < n and (row := rows.fetchone()):
            message = Row(*row).message
            if isinstance(message, Message):
                found.append(message)
    return found[::-1]


def place_of(db: sqlite3.Connection, msg_id: str) -> int | None:
    """Where the first message with this id is; ids of other tools can repeat."""
    if not is_text(msg_id):
        return None
    found: int | None = db.execute("SELECT min(place) FROM message WHERE msg_id = ?", (msg_id,)).fetchone()[0]
    return found


def message_at(db: sqlite3.Connection, place: int) -> Message | Damage:
    return Row(*db.execute(f"{_SELECT} WHERE place = ?", (place,)).fetchone()).message


def last_place(db: sqlite3.Connection) -> int:
    found: int = db.execute("SELECT coalesce(max(place), 0) FROM message").fetchone()[0]
    return found


def last_id(db: sqlite3.Connection) -> str:
    """The last id of our shape; empty where there is none."""
    with closing(db.execute("SELECT msg_id FROM message ORDER BY place DESC")) as ids:
        return next((msg_id for (msg_id,) in ids if id_time(msg_id) is not None), "")


def insert(db: sqlite3.Connection, messages: Iterable[tuple[str, str, str | None, bytes]]) -> None:
    db.executemany("INSERT INTO message (msg_id, type, task_id, frame) VALUES (?, ?, ?, ?)", messages)


def touch(db: sqlite3.Connection) -> None:
    """Have the transaction written to the log though it changes nothing."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.execute(f"PRAGMA user_version = {version:d}")


def unknown(bus: object, cursor: str) -> UnknownCursor:
    hint = "conductor-git bus read --tail 10"
    return UnknownCursor(f"{bus} has no message {cursor!r}", hint=hint, cursor=cursor)
