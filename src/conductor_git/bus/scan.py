"""Reading the bus file through an open descriptor: in windows, so that memory does not grow with the file.

Each window is one `pread` from where a frame begins, so a torn tail that a writer cuts off between two reads is never
joined with what came after it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from itertools import dropwhile, islice
from typing import Final, NamedTuple

from conductor_git.frames.decoder import WINDOW, Decoded, decode
from conductor_git.frames.frame import BOUNDARY
from conductor_git.message import LEGACY, Message, id_key

_TAIL: Final = 64 * 1024
_NEAR: Final = 8 * 1024
_PROBE: Final = 4096
_ID_START: Final = len(BOUNDARY) - 2
"""From the start of a frame to its id."""


class Place(NamedTuple):
    """Where decoding can begin: at a frame, or (`searching`) at the search for one past damage."""

    offset: int = 0
    searching: bool = False


def windows(fd: int, place: Place) -> Iterator[tuple[Place, Decoded]]:
    """Decode the file from `place` to its present end, with the place from which each window was decoded."""
    size, at_end = _TAIL, False
    while not at_end:
        window = os.pread(fd, size, place.offset)
        at_end = len(window) < size
        found = decode(window, place.offset, at_end=at_end, searching=place.searching)
        yield place, found
        place, size = next_place(place, found), WINDOW


def next_place(place: Place, found: Decoded) -> Place:
    return Place(place.offset + found.used, found.searching)


def messages(fd: int, place: Place) -> Iterator[Message]:
    for _, found in windows(fd, place):
        for item in found.items:
            if isinstance(item, Message):
                yield item


def past(found: Iterator[Message], cursor: str | None) -> Iterator[Message]:
    """`found` itself, or what comes after the message `cursor` in it."""
    return found if cursor is None else islice(dropwhile(lambda message: message.msg_id != cursor, found), 1, None)


def last(fd: int, size: int, n: int, wanted: Callable[[Message], bool]) -> list[Message]:
    """The last `n` messages that are `wanted`, from ever longer ends of the file."""
    kept: deque[Message] = deque(maxlen=n)
    for start in starts(fd, size):
        kept = deque(filter(wanted, messages(fd, Place(start))), maxlen=n)
        if len(kept) == n:
            break
    return list(kept)


def locate(fd: int, size: int, cursor: str) -> tuple[Place, bool] | None:
    """The place right after the message `cursor`, or (True) one in whose first window it lies; None: not there."""
    if not cursor.startswith(LEGACY):
        frame = _frame_of(fd, size, cursor.encode("utf-8", "replace"))
        after = None if frame is None else _after(fd, frame, cursor)
        if after is not None:
            return Place(after), False
        if not _holds(fd, cursor.encode("utf-8", "replace")):
            return None
    # A file of another tool need not be in order, nor write its ids as we do.
    for place, found in windows(fd, Place()):
        if any(isinstance(item, Message) and item.msg_id == cursor for item in found.items):
            return place, True
    return None


def starts(fd: int, size: int) -> Iterator[int]:
    """Where a frame begins in ever longer ends of the file, and at last its beginning."""
    reach = _TAIL
    while reach < size:
        start = _frame_start(fd, size - reach, size)
        if start is not None:
            yield start
        reach *= 4
    yield 0


def _frame_start(fd: int, start: int, stop: int) -> int | None:
    """The first frame of ours that begins in `start` to `stop`."""
    offset, size = max(start - 2, 0), _PROBE
    while offset < stop:
        found = os.pread(fd, size, offset).find(BOUNDARY)
        if found >= 0:
            return offset + found + 2 if offset + found + 2 < stop else None
        offset, size = offset + size - len(BOUNDARY) + 1, min(size * 4, WINDOW)
    return None


def _narrowed(fd: int, size: int, key: bytes) -> tuple[int, int]:
    """A short part of the file in which the frame with `key` begins, if ids rise in file order."""
    start, stop = 0, size
    while stop - start > _PROBE:
        middle = (start + stop) // 2
        frame = _frame_start(fd, middle, stop)
        if frame is not None and os.pread(fd, len(key), frame + _ID_START) <= key:
            start = frame
        else:
            stop = middle
    return start, stop


def _frame_of(fd: int, size: int, msg_id: bytes) -> int | None:
    """Where a frame of ours with this id begins: cursors are mostly near the end, and ids rise in file order."""
    head = b"---\nmsg_id: %b\n" % msg_id
    for reach in (_NEAR, _TAIL):
        frame = _find(fd, head, max(size - reach, 0), size)
        if frame is not None:
            return frame
    return _find(fd, head, *_narrowed(fd, size, id_key(msg_id)))


def _find(fd: int, head: bytes, start: int, stop: int) -> int | None:
    offset = max(start - 2, 0)
    window = os.pread(fd, stop - offset + len(head), offset)
    if offset == 0 and window.startswith(head):
        return 0
    found = window.find(b"\n\n" + head)
    return offset + found + 2 if found >= 0 else None


def _after(fd: int, frame: int, cursor: str) -> int | None:
    """Where the frame ends, if it is whole and the message `cursor`."""
    window = os.pread(fd, _NEAR, frame)
    if len(window) == _NEAR and BOUNDARY not in window:
        window = os.pread(fd, WINDOW, frame)
    cut = window.find(BOUNDARY) + 2
    found = decode(window[:cut] if cut >= 2 else window, frame, at_end=cut < 2)
    if len(found.items) == 1 and isinstance(message := found.items[0], Message) and message.msg_id == cursor:
        return frame + found.used
    return None


def _holds(fd: int, text: bytes) -> bool:
    offset = 0
    while window := os.pread(fd, WINDOW, offset):
        if text in window:
            return True
        offset += max(len(window) - len(text) + 1, 1) if len(window) == WINDOW else len(window)
    return False
