"""The last messages of a bus: read backwards in pieces, each from where a frame begins, file after file."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git.bus.segments.archived import bytes_of_all
from conductor_git.bus.segments.listing import closed_segments, inode_at, inode_of, open_segment, unreadable
from conductor_git.bus.segments.scan import Place, frame_start, messages
from conductor_git.frames.decoder import WINDOW, decode
from conductor_git.message import Message, selector

_FIRST: Final = 8 * 1024
_LITERAL: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
"""Text that stands in a header as it is, however it is quoted."""


class _Asked(NamedTuple):
    wanted: Callable[[Message], bool]
    holding: bytes
    """Text that the bytes of every message wanted hold. Whoever looks for one task in a long history pays for little
    more than reading it: pieces without the text are not decoded."""


def tail(bus: Path, n: int, types: Collection[str], task_id: str | None) -> list[Message]:
    """The last `n` messages that match, oldest first; older files are opened only where newer ones have too few."""
    asked = _Asked(selector(types, task_id), _held_by_all(types, task_id))
    kept: list[Message] = []
    try:
        for fd, before in _newest_first(bus):
            kept = [*_last(fd, n - len(kept), asked, before), *kept]
            if len(kept) >= n:
                break
    except OSError as error:
        raise unreadable(bus, error) from error
    return kept


def _held_by_all(types: Collection[str], task_id: str | None) -> bytes:
    text = task_id if task_id is not None else next(iter(types)) if len(types) == 1 else ""
    return text.encode() if _LITERAL.fullmatch(text) else b""


def _newest_first(bus: Path) -> Iterator[tuple[int, Callable[[], int]]]:
    """Descriptors of the files, and what tells how many bytes lie in older ones."""
    inode = None
    fd = open_segment(bus)
    if fd is not None:
        try:
            inode = inode_of(fd)
            yield fd, lambda: bytes_of_all(bus)
        finally:
            os.close(fd)
    closed = closed_segments(bus)
    # Rotated since it was opened: then it is among them, and so may be newer ones.
    mine = next((number for number, segment in enumerate(closed) if inode_at(segment.path) == inode), len(closed))
    for number in reversed(range(mine)):
        fd = open_segment(closed[number].path)
        if fd is not None:
            try:
                yield fd, lambda number=number: bytes_of_all(bus, closed[number])  # type: ignore[misc]
            finally:
                os.close(fd)


def _last(fd: int, n: int, asked: _Asked, before: Callable[[], int]) -> list[Message]:
    kept: list[Message] = []
    stop, reach = os.fstat(fd).st_size, _FIRST
    while stop > 0 and len(kept) < n:
        start = _piece_start(fd, stop, reach)
        kept = [*_last_between(fd, start, stop, n - len(kept), asked, before), *kept]
        stop, reach = start, min(reach * 4, WINDOW)
    return kept


def _piece_start(fd: int, stop: int, reach: int) -> int:
    """Where a frame begins about `reach` before `stop`; 0 where nothing but the file's beginning tells."""
    while reach < stop:
        start = frame_start(fd, stop - reach, stop)
        if start is not None:
            return start
        reach *= 4
    return 0


def _last_between(fd: int, start: int, stop: int, n: int, asked: _Asked, before: Callable[[], int]) -> list[Message]:
    if stop - start > 2 * WINDOW:
        # Another tool's messages, which do not tell where they begin: in windows, so that memory stays flat.
        return list(deque(filter(asked.wanted, messages(fd, Place(start), before, stop)), maxlen=n))
    piece = os.pread(fd, stop - start, start)
    if asked.holding not in piece:
        return []
    found = decode(piece, start, at_end=True, before=before)
    return [item for item in found.items if isinstance(item, Message) and asked.wanted(item)][-n:]
