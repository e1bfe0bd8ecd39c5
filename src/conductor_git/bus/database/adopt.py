"""Taking messages over from another bus into a database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from conductor_git.bus.adoption import Piece, in_order, pieces
from conductor_git.bus.database.opening import Database
from conductor_git.bus.database.rows import insert, last_id
from conductor_git.message import Message

_PIECE: Final = 1 << 20
"""Bytes of one transaction."""


def adopt(database: Database, messages: Iterable[Message]) -> int:
    """Store `messages` in their order, and return how many; on disk when this returns.

    `BadInput` and `TooLarge` for one that cannot be taken; those before it are stored.
    """
    count = 0
    for piece in pieces(messages, _PIECE):
        taken = _store(database, piece) if piece.coming else piece
        count += len(taken.coming)
        if refused := taken.refused or piece.refused:
            raise refused
    return count


def _store(database: Database, piece: Piece) -> Piece:
    with database.writing(though_moved=True) as db:
        taken = in_order(piece.coming, last_id(db))
        insert(db, ((one.msg_id, one.type, one.task_id, frame) for one, frame in taken.coming))
    return taken
