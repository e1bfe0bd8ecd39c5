"""What a client has missed, read from the bus in pieces of bounded size, until it is where the live messages are."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import Final, NamedTuple

from conductor_git.project import Project
from conductor_git.server.streams.entry import BEGINNING, Wanted, entry_of
from conductor_git.server.streams.ring import PIECE_BYTES, Place

_LOOKED_AT: Final = 4096
"""So many messages at most are passed over for one piece, so that a client who wants few of them ends in time."""


class Page(NamedTuple):
    data: bytes
    place: Place
    is_last: bool
    """There was nothing after it on the bus when it was read."""


def page(project: Project, place: Place, wanted: Wanted) -> Page:
    """What is wanted after `place`; `UnknownCursor` where the bus does not know it. Reads, so call it in a thread."""
    frames: list[bytes] = []
    size = looked_at = 0
    since = None if place.msg_id == BEGINNING else place.msg_id
    with closing(project.bus.read(since)) as found:
        for message in islice(found, place.beyond, None):
            looked_at += 1
            entry = entry_of(project.layout, message) if wanted.takes(message) else None
            place = Place(place.msg_id, place.beyond + 1) if message.recovered else Place(message.msg_id)
            if entry is not None:
                frames.append(entry.frame)
                size += len(entry.frame)
            if size >= PIECE_BYTES or looked_at >= _LOOKED_AT:
                return Page(b"".join(frames), place, is_last=False)
    return Page(b"".join(frames), place, is_last=True)
