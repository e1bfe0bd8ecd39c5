"""The last messages of the bus, kept once for all clients: however slow these are, this is what they cost."""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

from conductor_git.server.streams.entry import BEGINNING, Entry, Wanted

KEPT_BYTES: Final = 4 << 20
KEPT: Final = 8192
"""So many messages, and so many bytes of their events, at most (of one larger message, that one)."""
PIECE_BYTES: Final = 64 * 1024
"""A piece of a stream ends with the event that fills it."""


class Place(NamedTuple):
    """How far a client is: after the message `msg_id`, and after so many recovered ones that follow on that."""

    msg_id: str = BEGINNING
    beyond: int = 0

    def after(self, found: Entry) -> Place:
        return Place(found.msg_id) if found.msg_id else Place(self.msg_id, self.beyond + 1)


class Piece(NamedTuple):
    """What comes next for a client, and where it is then."""

    data: bytes
    place: Place
    number: int
    """Of the entry that follows; negative where it is not known."""


class Ring:
    """Entries by number, the oldest dropped first. Written by one thread, read by any."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._lock = threading.Lock()
        self._kept, self._kept_bytes = kept, kept_bytes
        self._entries: list[Entry] = []
        self._dropped = 0
        """How many of `_entries` were dropped and still lie there."""
        self._next = 0
        self._bytes = 0
        self._end = Place()
        self._start = Place()
        self._numbers: dict[str, int] = {BEGINNING: 0}
        """Id → the number of the entry after it."""

    def begin(self, place: Place) -> None:
        """Forget all; the next entry follows on `place`."""
        with self._lock:
            self._entries, self._dropped, self._bytes = [], 0, 0
            self._start = self._end = place
            self._numbers = {place.msg_id: self._next - place.beyond}

    def append(self, found: Entry) -> None:
        with self._lock:
            self._entries.append(found)
            self._bytes += len(found.frame)
            self._next += 1
            self._end = self._end.after(found)
            if found.msg_id:
                self._numbers[found.msg_id] = self._next
            while self._len() > 1 and (self._len() > self._kept or self._bytes > self._kept_bytes):
                self._drop()

    @property
    def end(self) -> tuple[Place, int]:
        """The place after the last entry, and the number of the one that will follow."""
        with self._lock:
            return self._end, self._next

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def number_after(self, place: Place) -> int | None:
        """The number of the entry that follows on `place`; None where that is not among what is kept."""
        with self._lock:
            number = self._numbers.get(place.msg_id)
            if number is None or not self._next - self._len() <= number + place.beyond <= self._next:
                return None
            return number + place.beyond

    def piece(self, number: int, place: Place, wanted: Wanted) -> Piece | None:
        """What is wanted from entry `number` on, up to `PIECE_BYTES`; None where that one is gone."""
        frames: list[bytes] = []
        size = 0
        with self._lock:
            first = self._next - self._len()
            if number < first:
                return None
            for found in self._entries[self._dropped + number - first :]:
                number, place = number + 1, place.after(found)
                if wanted.takes(found):
                    frames.append(found.frame)
                    size += len(found.frame)
                    if size >= PIECE_BYTES:
                        break
        return Piece(b"".join(frames), place, number)

    def _len(self) -> int:
        return len(self._entries) - self._dropped

    def _drop(self) -> None:
        """The oldest goes; what comes before the new oldest stays known, as clients may be just there."""
        gone = self._entries[self._dropped]
        self._bytes -= len(gone.frame)
        if gone.msg_id:
            self._numbers.pop(self._start.msg_id, None)
        self._start = self._start.after(gone)
        self._dropped += 1
        if self._dropped > self._kept // 4:
            del self._entries[: self._dropped]
            self._dropped = 0
        else:
            self._entries[self._dropped - 1] = Entry("", "", None, b"")
