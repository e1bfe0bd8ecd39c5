"""Following a bus file: every message once, in order, a few milliseconds after it was written."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final

from conductor_git.bus.scan import Place, next_place, windows
from conductor_git.errors import BusDamaged
from conductor_git.message import Message

_POLL: Final = 0.004


class Follower:
    """A place in the bus file at `path` that moves on with it; `open_bus` gives a descriptor once there is a file."""

    def __init__(self, open_bus: Callable[[], int | None], path: Path, place: Place) -> None:
        self._open = open_bus
        self._path = path
        self._place = place

    def messages(self, stop: Callable[[], bool]) -> Generator[Message, None, None]:
        """The messages from the place on, then each new one, until `stop()`, which is asked every few milliseconds."""
        while (fd := self._open()) is None:
            if stop():
                return
            time.sleep(_POLL)
        try:
            while not stop():
                if self._has_more(fd):
                    yield from self._fresh(fd, stop)
                else:
                    time.sleep(_POLL)
        finally:
            os.close(fd)

    def _fresh(self, fd: int, stop: Callable[[], bool]) -> Iterator[Message]:
        before = self._place
        for where, found in windows(fd, before):
            yield from (item for item in found.items if isinstance(item, Message))
            self._place = next_place(where, found)
            if stop():
                return
        if self._place == before:
            # A message that is not yet whole.
            time.sleep(_POLL)

    def _has_more(self, fd: int) -> bool:
        """Whether the file goes on past the place; `BusDamaged` where it is not the file that we follow any more."""
        mine = os.fstat(fd)
        if mine.st_size < self._place.offset or not self._is_current(mine.st_ino):
            raise BusDamaged(
                f"{self._path} was replaced or cut while it was followed",
                hint="conductor-git bus verify",
                path=str(self._path),
            )
        return mine.st_size != self._place.offset

    def _is_current(self, inode: int) -> bool:
        try:
            return os.lstat(self._path).st_ino == inode
        except FileNotFoundError:
            return False
