"""Where a message lies in a file of the bus, by its id."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, NamedTuple

from conductor_git.bus.segments.scan import Place, frame_start, windows
from conductor_git.frames.decoder import WINDOW, decode
from conductor_git.frames.frame import BOUNDARY
from conductor_git.message import LEGACY, Message, id_key

_NEAR: Final = 8 * 1024
_TAIL: Final = 64 * 1024
_PROBE: Final = 4096
_ID_START: Final = len(BOUNDARY) - 2
"""From the start of a frame to its id."""


class Found(NamedTuple):
    """A message, and the place right after it, or (`is_before`) a place in whose first window it lies."""

    message: Message
    place: Place
    is_before: bool = False


def near_end(fd: int, size: int, msg_id: str) -> Found | None:
    """The message among the last ones of the file, where most cursors are; None: look elsewhere."""
    head = _head(msg_id)
    for reach in (_NEAR, _TAIL):
        if (found := _framed(fd, _find(fd, head, max(size - reach, 0), size), msg_id)) is not None:
            return found
    return None


def in_order(fd: int, size: int, msg_id: str) -> Found | None:
    """The message where it lies if ids rise in file order."""
    return _framed(
        fd, _find(fd, _head(msg_id), *_narrowed(fd, size, id_key(msg_id.encode("utf-8", "replace")))), msg_id
    )


def anywhere(fd: int, msg_id: str, before: Callable[[], int]) -> Found | None:
    """The message in a file that other tools wrote, in any order and with ids of any shape; reads all of it."""
    if not msg_id.startswith(LEGACY) and not _holds(fd, msg_id.encode("utf-8", "replace")):
        return None
    for place, found in windows(fd, Place(), before):
        for item in found.items:
            if isinstance(item, Message) and item.msg_id == msg_id:
                return Found(item, place, is_before=True)
    return None


def _head(msg_id: str) -> bytes:
    return b"---\nmsg_id: %b\n" % msg_id.encode("utf-8", "replace")


def _find(fd: int, head: bytes, start: int, stop: int) -> int | None:
    offset = max(start - 2, 0)
    window = os.pread(fd, stop - offset + len(head), offset)
    if offset == 0 and window.startswith(head):
        return 0
    found = window.find(b"\n\n" + head)
    return offset + found + 2 if found >= 0 else None


def _framed(fd: int, frame: int | None, msg_id: str) -> Found | None:
    """What lies at `frame`, if it is whole and the message."""
    if frame is None:
        return None
    window = os.pread(fd, _NEAR, frame)
    if len(window) == _NEAR and BOUNDARY not in window:
        window = os.pread(fd, WINDOW, frame)
    cut = window.find(BOUNDARY) + 2
    found = decode(window[:cut] if cut >= 2 else window, frame, at_end=cut < 2)
    if len(found.items) == 1 and isinstance(message := found.items[0], Message) and message.msg_id == msg_id:
        return Found(message, Place(frame + found.used))
    return None


def _narrowed(fd: int, size: int, key: bytes) -> tuple[int, int]:
    """A short part of the file in which the frame with `key` begins, if ids rise in file order."""
    start, stop = 0, size
    while stop - start > _PROBE:
        middle = (start + stop) // 2
        frame = frame_start(fd, middle, stop)
        if frame is not None and os.pread(fd, len(key), frame + _ID_START) <= key:
            start = frame
        else:
            stop = middle
    return start, stop


def _holds(fd: int, text: bytes) -> bool:
    offset = 0
    while window := os.pread(fd, WINDOW, offset):
        if text in window:
            return True
        offset += max(len(window) - len(text) + 1, 1) if len(window) == WINDOW else len(window)
    return False
