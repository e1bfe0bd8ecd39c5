"""Taking messages over from another bus, ids and all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from conductor_git.bus.database.opening import Database
from conductor_git.bus.database.rows import Row, insert, last_id
from conductor_git.errors import BadInput, ConductorError
from conductor_git.frames.decoder import Damage
from conductor_git.frames.frame import encode
from conductor_git.message import Message, id_key, id_time

_PIECE: Final = 1 << 20
"""Bytes of one transaction, or one message that has more."""


def adopt(database: Database, messages: Iterable[Message]) -> int:
    """Store `messages` in their order, and return how many; on disk when this returns.

    `BadInput` and `TooLarge` for one that cannot be taken; those before it are stored.
    """
    count = 0
    for piece, refused in _pieces(messages):
        if piece:
            count += _store(database, piece)
        if refused is not None:
            raise refused
    return count


def _pieces(messages: Iterable[Message]) -> Iterator[tuple[list[Row], ConductorError | None]]:
    # Taken from their source outside of any transaction: it can be slow, or a bus itself.
    piece: list[Row] = []
    size = 0
    for message in messages:
        try:
            row = _row(message)
        except ConductorError as refused:
            yield piece, refused
            return
        if piece and size + len(row.frame) > _PIECE:
            yield piece, None
            piece, size = [], 0
        piece.append(row)
        size += len(row.frame)
    yield piece, None


def _row(message: Message) -> Row:
    if "\n" in message.msg_id or "\n" in message.ts:
        raise _unreadable(message)
    row = Row(0, message.msg_id, message.type, message.task_id, _frame(message))
    if isinstance(row.message, Damage):
        raise _unreadable(message)
    return row


def _frame(message: Message) -> bytes:
    try:
        return encode(message)
    except UnicodeEncodeError as bad:
        raise _unreadable(message) from bad


def _unreadable(message: Message) -> BadInput:
    return BadInput(f"a message with the id {message.msg_id!r} could not be read back", hint="conductor-git bus verify")


def _store(database: Database, piece: list[Row]) -> int:
    """Store the rows up to the first one whose id is not above the last one, and raise for that."""
    with database.writing(though_moved=True) as db:
        taken, refused = _in_order(piece, last_id(db))
        insert(db, (row[1:] for row in taken))
    if refused is not None:
        raise refused
    return len(taken)


def _in_order(piece: list[Row], last: str) -> tuple[list[Row], BadInput | None]:
    for place, row in enumerate(piece):
        if id_time(row.msg_id) is None:
            continue
        if id_key(row.msg_id) <= id_key(last):
            return piece[:place], BadInput(
                f"{row.msg_id} is not above {last}, the last message of the bus that was to take it",
                hint="conductor-git bus read --tail 1",
                msg_id=row.msg_id,
            )
        last = row.msg_id
    return piece, None
