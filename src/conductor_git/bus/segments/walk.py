"""A place on the bus that moves on through its files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from conductor_git.bus.segments.archived import bytes_of_all, open_closed, with_archived
from conductor_git.bus.segments.end import end
from conductor_git.bus.segments.listing import (
    Files,
    Segment,
    closed_segments,
    files,
    inode_at,
    inode_of,
    open_segment,
    unreadable,
)
from conductor_git.bus.segments.locate import Found, anywhere, in_order, near_end
from conductor_git.bus.segments.scan import Place, first_id, next_place, windows
from conductor_git.errors import BusDamaged, UnknownCursor
from conductor_git.message import Message, id_key, id_time

_REMEMBERED: Final = 256


class Walk:
    """A reader's place: a file of the bus, held open, and an offset in it. Rotation renames the file under it.

    A disk that gives an error in place of bytes ends its block with `BusDamaged`.
    """

    def __init__(self, bus: Path, *, follows: bool = False) -> None:
        self._bus = bus
        self._name = os.fspath(bus)
        self._follows = follows
        """Whether it notes what lies before its place, by which `restart` sees that the file was cut and rewritten, and
        reads to the very end every time: a follower must not sleep while there is more."""
        self._fd: int | None = None
        self._segment: Segment | None = None
        """What the file is known as where it was closed already when it was opened."""
        self._following: list[Segment] = []
        """The closed segments that follow, the next one last, as far as they were listed."""
        self._ahead: list[Message] = []
        """What the search for a message has decoded already of what comes after it; the place is behind that."""
        self._before: int | None = None
        self._passed = b""
        self.place = Place()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._take(None)
        if isinstance(error, OSError):
            raise unreadable(self._bus, error) from error

    def start(self) -> None:
        """Go to the beginning of the oldest file."""
        with files(self._bus) as known:
            self._enter(known, 0)

    def find(self, msg_id: str) -> Found:
        """Go to the message, or `UnknownCursor`; in the file that is written to it is found without a listing."""
        fd = open_segment(self._bus)
        self._take(fd)
        found = None if fd is None else near_end(fd, os.lseek(fd, 0, os.SEEK_END), msg_id, self.before)
        if found is None:
            with files(self._bus) as known:
                found = self._search(known, msg_id)
        self.place, self._ahead = found.place, found.ahead or []
        return found

    def fresh(self) -> Iterable[Message]:
        """The messages from the place to the present end of the file; the place moves with them."""
        if not self._ahead:
            return self._decoded()
        ahead = self._take_ahead()
        return chain(ahead, self._decoded()) if self._follows else ahead

    def _decoded(self) -> Iterator[Message]:
        if self._fd is None:
            return
        for where, found in windows(self._fd, self.place, self.before):
            self._remember(after := next_place(where, found))
            yield from [item for item in found.items if isinstance(item, Message)]
            self.place = after

    def to_the_end(self) -> Iterator[Message]:
        """The messages from the place to the present end of the bus, file after file."""
        yield from self.fresh()
        while inode_at(self._name) != inode_of(self._fd):
            # What was written after we looked and before the file was closed; now nobody writes to it any more.
            yield from self.fresh()
            if not self.next_file():
                return
            yield from self.fresh()

    def next_file(self) -> bool:
        """Go to the file that follows, from the end of one that was closed; False where there is none yet."""
        if self._fd is None:
            self.start()
            return self._fd is not None
        if self._following:
            self._open(self._following.pop())
            return True
        if inode_at(self._name) == inode_of(self._fd):
            return False
        with files(self._bus) as listed:
            known, mine = self._among(listed)
            if mine is None or (mine + 1 == len(known.closed) and known.current is None):
                return False
            self._enter(known, mine + 1)
        return True

    def restart(self) -> bool:
        """Go to the beginning of the file that is written to, if somebody cut or replaced it by hand."""
        if self._fd is None:
            return False
        is_current = inode_at(self._name) == inode_of(self._fd)
        if is_current and self._just_before(self.place) == self._passed:
            return False
        with files(self._bus) as known:
            if known.current is None or (not is_current and self._among(known)[1] is not None):
                return False
            self._enter(known, len(known.closed))
        return True

    def before(self) -> int:
        """The bytes of the bus in older files than this."""
        if self._before is None:
            mine = self._segment or self._renamed(closed_segments(self._bus))
            self._before = bytes_of_all(self._bus, mine)
        return self._before

    def _search(self, known: Files, msg_id: str) -> Found:
        for number in self._likely(known, msg_id):
            self._enter(known, number)
            if self._fd is not None and (found := in_order(self._fd, os.fstat(self._fd).st_size, msg_id)) is not None:
                return found
        for number in range(len(known.closed) + 1):
            self._enter(known, number)
            if self._fd is not None and (found := anywhere(self._fd, msg_id, self.before)) is not None:
                return found
        if (found := self._search_archive(known, msg_id)) is not None:
            return found
        hint = "conductor-git bus read --tail 10"
        raise UnknownCursor(f"{self._bus} has no message {msg_id!r}", hint=hint, cursor=msg_id)

    def _search_archive(self, known: Files, msg_id: str) -> Found | None:
        """The message in the one segment of the archive that it lies in if ids rise."""
        known = known._replace(closed=with_archived(self._bus, known.closed))
        number = sum(id_key(segment.first_id) <= id_key(msg_id) for segment in known.closed) - 1
        if number < 0 or id_time(msg_id) is None or known.closed[number].path.exists():
            return None
        self._enter(known, number)
        return None if self._fd is None else in_order(self._fd, os.fstat(self._fd).st_size, msg_id)

    def _likely(self, known: Files, msg_id: str) -> list[int]:
        """Where the message is if ids rise: the last segment that begins at or before it, or the file after all."""
        begun = sum(id_key(segment.first_id) <= id_key(msg_id) for segment in known.closed)
        last = len(known.closed)
        return [last, begun - 1] if begun == last and begun else [begun - 1] if begun else [last]

    def _enter(self, known: Files, number: int) -> None:
        """Open the file by its number, at its beginning; after the closed ones comes the one written to."""
        if number < len(known.closed):
            self._open(known.closed[number])
        else:
            self._take(None if known.current is None else os.dup(known.current))
        self._following = known.closed[:number:-1]

    def _open(self, segment: Segment) -> None:
        fd = open_closed(segment)
        if fd is None:
            raise BusDamaged(
                f"{segment.path} went away while it was read", hint="conductor-git bus verify", path=str(segment.path)
            )
        self._take(fd, segment)

    def _take(self, fd: int | None, segment: Segment | None = None) -> None:
        if self._fd is not None:
            os.close(self._fd)
        self._fd, self._segment, self._before, self._passed, self.place = fd, segment, None, b"", Place()
        self._ahead = []

    def _among(self, known: Files) -> tuple[Files, int | None]:
        """The number of this file among the closed ones, and those; None where it is none of them.

        Those of the archive are with them where this file went there while it was read.
        """
        mine = self._segment or self._renamed(known.closed)
        if mine is None or mine not in known.closed:
            known = known._replace(closed=with_archived(self._bus, known.closed))
            mine = mine or self._named(known.closed)
        return known, known.closed.index(mine) if mine in known.closed else None

    def _renamed(self, closed: list[Segment]) -> Segment | None:
        """The closed segment that this file, written to when it was opened, has become."""
        mine = inode_of(self._fd)
        return next((segment for segment in reversed(closed) if inode_at(segment.path) == mine), None)

    def _named(self, closed: list[Segment]) -> Segment | None:
        """The same by the messages that name a segment, which also tell where its inode went with the file."""
        assert self._fd is not None
        ids = {first_id(self._fd), end(self._fd, os.fstat(self._fd).st_size).last_id} if closed else set[str]()
        return next((one for one in closed if one.first_id in ids and not one.path.exists()), None)

    def _take_ahead(self) -> list[Message]:
        self._remember(self.place)
        ahead, self._ahead = self._ahead, []
        return ahead

    def _remember(self, place: Place) -> None:
        if self._follows:
            # Before anything is given away: by the time that somebody asks for more, it may have been cut.
            self._passed = self._just_before(place)

    def _just_before(self, place: Place) -> bytes:
        assert self._fd is not None
        start = max(0, place.offset - _REMEMBERED)
        return os.pread(self._fd, place.offset - start, start)
