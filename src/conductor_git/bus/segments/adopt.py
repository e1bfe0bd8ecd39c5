"""Taking messages over from another bus, ids and all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from conductor_git.bus.segments.append import Appender
from conductor_git.errors import BadInput
from conductor_git.frames.frame import encode
from conductor_git.message import Message, id_key, id_time

_PIECE: Final = 256 * 1024
"""Bytes that are written and flushed at once, or one message that has more."""


def adopt(appender: Appender, messages: Iterable[Message]) -> int:
    """Store `messages` in their order, and return how many; on disk when this returns.

    `BadInput` for an id of ours that is not above the one before it; the pieces before it are stored.
    """
    count = 0
    for piece in _pieces(messages):
        appender.store(lambda last_id, piece=piece: _joined(piece, last_id), though_moved=True)  # type: ignore[misc]
        count += len(piece)
    return count


def _pieces(messages: Iterable[Message]) -> Iterator[list[tuple[str, bytes]]]:
    piece: list[tuple[str, bytes]] = []
    size = 0
    for message in messages:
        frame = encode(message)
        if piece and size + len(frame) > _PIECE:
            yield piece
            piece, size = [], 0
        piece.append((message.msg_id, frame))
        size += len(frame)
    if piece:
        yield piece


def _joined(piece: list[tuple[str, bytes]], last_id: str) -> bytes:
    for msg_id, _ in piece:
        if id_time(msg_id) is None:
            continue
        if id_key(msg_id) <= id_key(last_id):
            raise BadInput(
                f"{msg_id} is not above {last_id}, the last message of the bus that was to take it",
                hint="conductor-git bus read --tail 1",
                msg_id=msg_id,
            )
        last_id = msg_id
    return b"".join(frame for _, frame in piece)
