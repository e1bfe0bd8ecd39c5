"""Taking messages over from another bus into files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from conductor_git.bus.adoption import Piece, in_order, pieces
from conductor_git.bus.segments.append import Appender
from conductor_git.message import Message

_PIECE: Final = 256 * 1024
"""Bytes that are written and flushed at once."""


def adopt(appender: Appender, messages: Iterable[Message]) -> int:
    """Store `messages` in their order, and return how many; on disk when this returns.

    `BadInput` and `TooLarge` for one that cannot be taken; those before it are stored.
    """
    count = 0
    for piece in pieces(messages, _PIECE):
        taken = _store(appender, piece) if piece.coming else piece
        count += len(taken.coming)
        if refused := taken.refused or piece.refused:
            raise refused
    return count


def _store(appender: Appender, piece: Piece) -> Piece:
    taken = piece

    def make(last_id: str) -> bytes:
        nonlocal taken
        taken = in_order(piece.coming, last_id)
        return b"".join(one.frame for one in taken.coming)

    appender.store(make, though_moved=True)
    return taken
