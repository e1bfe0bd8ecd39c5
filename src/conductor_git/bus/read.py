"""Reading the bus file at a path, without any lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from conductor_git import durable
from conductor_git.bus.append import not_a_file
from conductor_git.bus.base import Report
from conductor_git.bus.scan import Place, last, locate, messages, past
from conductor_git.errors import BusDamaged, UnknownCursor, UnsafePath
from conductor_git.message import Message


class Reader:
    """What the file at `path` holds; it may not be there yet, and may grow or lose a torn tail while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(
        self, since: str | None, limit: int | None, wanted: Callable[[Message], bool]
    ) -> Generator[Message, None, None]:
        return self._read(*self._place(since), limit, wanted)

    def tail(self, n: int, wanted: Callable[[Message], bool]) -> list[Message]:
        with self._opened() as fd:
            return [] if fd is None else last(fd, os.fstat(fd).st_size, max(n, 0), wanted)

    def follow(
        self, since: str | None, wanted: Callable[[Message], bool], stop: Callable[[], bool]
    ) -> Generator[Message, None, None]:
        return self._follow(*self._place(since), wanted, stop)

    def verify(self, flush_failed: str | None) -> Report:
        # `ctx` and `bus read` come through here too, and check nothing.
        from conductor_git.bus.check import check

        with self._opened() as fd:
            return Report(flush_failed=flush_failed) if fd is None else check(fd, flush_failed)

    def _read(
        self, place: Place, skip_to: str | None, limit: int | None, wanted: Callable[[Message], bool]
    ) -> Generator[Message, None, None]:
        with self._opened() as fd:
            if fd is not None:
                yield from islice(filter(wanted, past(messages(fd, place), skip_to)), limit)

    def _follow(
        self, place: Place, skip_to: str | None, wanted: Callable[[Message], bool], stop: Callable[[], bool]
    ) -> Generator[Message, None, None]:
        from conductor_git.bus.follow import Follower

        with closing(Follower(self._open, self._path, place).messages(stop)) as found:
            yield from filter(wanted, past(found, skip_to))

    def _place(self, since: str | None) -> tuple[Place, str | None]:
        """Where to read from for what follows `since`, and the message up to which it is to be passed over."""
        if since is None:
            return Place(), None
        with self._opened() as fd:
            found = None if fd is None else locate(fd, os.fstat(fd).st_size, since)
        if found is None:
            hint = "conductor-git bus read --tail 10"
            raise UnknownCursor(f"{self._path} has no message {since!r}", hint=hint, cursor=since)
        place, is_before = found
        return place, since if is_before else None

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        fd = self._open()
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)

    def _open(self) -> int | None:
        try:
            return durable.open_regular(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except UnsafePath as other:
            raise not_a_file(self._path) from other
        except OSError as error:
            raise BusDamaged(
                f"{self._path} could not be read: {error.strerror}", hint=f"ls -ld {self._path}", path=str(self._path)
            ) from error
