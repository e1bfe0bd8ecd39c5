"""Where a message lies in a file of the bus, by its id."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from conductor_git.bus.segments.scan import Place, frame_start, windows
from conductor_git.frames.decoder import WINDOW, decode
from conductor_git.frames.frame import BOUNDARY
from conductor_git.message import LEGACY, Message, id_key

_NEAR: Final = 8 * 1024
_TAIL: Final = 64 * 1024
_PROBE: Final = 4096
_LITERAL: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
"""An id that stands in its header as it is, however it is quoted."""
_ID_START: Final = len(BOUNDARY) - 2
"""From the start of a frame to its id."""


class Found(NamedTuple):
    """A message, and the place right after it, or (`is_before`) a place in whose first window it lies.

    `ahead` are the messages between it and the place, where the search has decoded some on its way.
    """

    message: Message
    place: Place
    is_before: bool = False
    ahead: list[Message] | None = None


def near_end(fd: int, size: int, msg_id: str, before: Callable[[], int]) -> Found | None:
    """The message among the last ones of the file, where most cursors are; None: look elsewhere."""
    return _last_few(fd, size, msg_id, before) or _between(fd, max(size - _TAIL, 0), size, msg_id)


def _last_few(fd: int, size: int, msg_id: str, before: Callable[[], int]) -> Found | None:
    """The message and all that follow it in the end of the file: mostly they are asked for next."""
    offset = max(size - _NEAR, 0)
    window = os.pread(fd, 2 * _NEAR, offset)
    start = window.find(_head(msg_id)) + 2
    if start < 2 or len(window) == 2 * _NEAR:
        return None
    found = decode(window[start:], offset + start, at_end=True, before=before)
    messages = [item for item in found.items if isinstance(item, Message)]
    if not messages or messages[0].msg_id != msg_id:
        return None
    return Found(messages[0], Place(offset + start + found.used, found.searching), ahead=messages[1:])


def in_order(fd: int, size: int, msg_id: str) -> Found | None:
    """The message where it lies if ids rise in file order."""
    return _between(fd, *_narrowed(fd, size, id_key(msg_id.encode("utf-8", "replace"))), msg_id)


def anywhere(fd: int, msg_id: str, before: Callable[[], int]) -> Found | None:
    """The message in a file that other tools wrote, in any order and with ids of any shape; reads all of it."""
    if _LITERAL.fullmatch(msg_id) and not msg_id.startswith(LEGACY) and not _holds(fd, msg_id.encode()):
        return None
    for place, found in windows(fd, Place(), before):
        for item in found.items:
            if isinstance(item, Message) and item.msg_id == msg_id:
                return Found(item, place, is_before=True)
    return None


def _head(msg_id: str) -> bytes:
    return b"\n\n---\nmsg_id: %b\n" % msg_id.encode("utf-8", "replace")


def _between(fd: int, start: int, stop: int, msg_id: str) -> Found | None:
    """The message, if its frame begins in this part of the file, and is whole."""
    head = _head(msg_id)
    offset = max(start - 2, 0)
    window = os.pread(fd, stop - offset + len(head), offset)
    if offset == 0 and window.startswith(head[2:]):
        return _framed(fd, 0, window, msg_id)
    found = window.find(head) + 2
    return _framed(fd, offset + found, window[found:], msg_id) if found >= 2 else None


def _framed(fd: int, frame: int, window: bytes, msg_id: str) -> Found | None:
    """What lies at `frame`, from where `window` is, if it is whole and the message."""
    cut = window.find(BOUNDARY) + 2
    if cut < 2:
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
