"""Messages that come over from another bus, ids and all: what every backend asks of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from conductor_git.errors import BadInput, ConductorError
from conductor_git.frames.decoder import decode
from conductor_git.frames.frame import encode
from conductor_git.message import Message, id_key, id_time


class Coming(NamedTuple):
    """A message, and the frame that gives it back."""

    message: Message
    frame: bytes


class Piece(NamedTuple):
    """Messages to be stored at once, and why the one after them cannot be."""

    coming: list[Coming]
    refused: ConductorError | None = None


def adopt(messages: Iterable[Message], size: int, store: Callable[[list[Coming]], Piece]) -> int:
    """Give `messages` to `store` in pieces of at most `size` bytes, or of one message that has more; how many it took.

    `store` keeps those of a piece that are `in_order`. `BadInput` and `TooLarge` for a message that cannot be taken;
    those before it are stored.
    """
    count = 0
    for piece in _pieces(messages, size):
        taken = store(piece.coming) if piece.coming else piece
        count += len(taken.coming)
        if refused := taken.refused or piece.refused:
            raise refused
    return count


def _pieces(messages: Iterable[Message], size: int) -> Iterator[Piece]:
    # Taken from their source outside of any lock: it can be slow, or a bus itself.
    coming: list[Coming] = []
    left = size
    for message in messages:
        try:
            one = Coming(message, _frame(message))
        except ConductorError as refused:
            yield Piece(coming, refused)
            return
        if coming and len(one.frame) > left:
            yield Piece(coming)
            coming, left = [], size
        coming.append(one)
        left -= len(one.frame)
    yield Piece(coming)


def in_order(coming: list[Coming], last_id: str) -> Piece:
    """Those up to the first one of our ids that is not above the one before it, which would be no cursor any more."""
    for number, (message, _) in enumerate(coming):
        if id_time(message.msg_id) is None:
            continue
        if id_key(message.msg_id) <= id_key(last_id):
            refused = BadInput(
                f"{message.msg_id} is not above {last_id}, the last message of the bus that was to take it",
                hint="conductor-git bus read --tail 1",
                msg_id=message.msg_id,
            )
            return Piece(coming[:number], refused)
        last_id = message.msg_id
    return Piece(coming)


def _frame(message: Message) -> bytes:
    try:
        frame = encode(message)
    except UnicodeEncodeError as bad:
        raise _unreadable(message) from bad
    if decode(frame, 0, at_end=True).items != [message]:
        raise _unreadable(message)
    return frame


def _unreadable(message: Message) -> BadInput:
    return BadInput(f"a message with the id {message.msg_id!r} could not be read back", hint="conductor-git bus verify")
