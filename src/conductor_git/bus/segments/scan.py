"""Reading one file of the bus through an open descriptor: in windows, so that memory does not grow with the file.

Each window is one `pread` from where a frame begins, so a torn tail that a writer cuts off between two reads is never
joined with what came after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from conductor_git.frames.decoder import WINDOW, Decoded, decode
from conductor_git.frames.frame import BOUNDARY
from conductor_git.message import Message, id_time

_FIRST: Final = 8 * 1024
"""Bytes of the first window: mostly a few messages are asked for. The next ones are larger."""
_TAIL: Final = 64 * 1024
_PROBE: Final = 4096


class Place(NamedTuple):
    """Where decoding can begin: at a frame, or (`searching`) at the search for one past damage."""

    offset: int = 0
    searching: bool = False


def _nothing() -> int:
    return 0


def windows(
    fd: int, place: Place, before: Callable[[], int] = _nothing, stop: int | None = None
) -> Iterator[tuple[Place, Decoded]]:
    """Decode the file from `place` to its present end, with the place from which each window was decoded.

    `stop` is where a frame begins at which to end instead. `before` is as for `decode`.
    """
    size, at_end = _FIRST, False
    while not at_end:
        wanted = size if stop is None else min(size, stop - place.offset)
        window = os.pread(fd, wanted, place.offset)
        at_end = len(window) < size
        found = decode(window, place.offset, at_end=at_end, searching=place.searching, before=before)
        yield place, found
        place, size = next_place(place, found), min(size * 8, WINDOW)


def next_place(place: Place, found: Decoded) -> Place:
    return Place(place.offset + found.used, found.searching)


def messages(fd: int, place: Place, before: Callable[[], int] = _nothing, stop: int | None = None) -> Iterator[Message]:
    for _, found in windows(fd, place, before, stop):
        for item in found.items:
            if isinstance(item, Message):
                yield item


def first_id(fd: int) -> str:
    """The first id of our shape in the file; empty where it has none."""
    return next((message.msg_id for message in messages(fd, Place()) if id_time(message.msg_id) is not None), "")


def starts(fd: int, size: int) -> Iterator[int]:
    """Where a frame begins in ever longer ends of the file, and at last its beginning."""
    reach = _TAIL
    while reach < size:
        start = frame_start(fd, size - reach, size)
        if start is not None:
            yield start
        reach *= 4
    yield 0


def frame_start(fd: int, start: int, stop: int) -> int | None:
    """The first frame of ours that begins in `start` to `stop`."""
    offset, size = max(start - 2, 0), _PROBE
    while offset < stop:
        found = os.pread(fd, size, offset).find(BOUNDARY)
        if found >= 0:
            return offset + found + 2 if offset + found + 2 < stop else None
        offset, size = offset + size - len(BOUNDARY) + 1, min(size * 4, WINDOW)
    return None
