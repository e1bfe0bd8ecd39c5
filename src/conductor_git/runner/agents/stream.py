"""Reads what an agent prints, from its log file while that grows: whole lines of bounded length, as events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.errors import UnsafePath
from conductor_git.names import is_text
from conductor_git.runner.agents.base import Adapter, AgentEvent, Kind

LONGEST_LINE: Final = 1 << 20
_HEAD: Final = 16 << 10
"""So much of a line that is longer is kept."""
_CHUNK: Final = 256 << 10
_ODD: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What an adapter may stumble with over a line of a shape that it does not know."""


class Stream:
    """The events in the log file `path`, from `position` on; reads on where it stopped at each call.

    Nothing that is in the file makes it fail or hold more than a line of `LONGEST_LINE`: bytes that are no UTF-8 are
    replaced, of a longer line the beginning becomes one event, NULs (a part of the file that was given back to the
    disk) are passed over. A file that is missing, a link, or unreadable says nothing. With a `descriptor`, which stays
    the caller's, that file is read, also once another one has its name.
    """

    def __init__(self, path: Path, adapter: Adapter, position: int = 0, *, descriptor: int | None = None) -> None:
        self.position = position
        """Where the first line begins that was not yet told: another reader can go on from here."""
        self._path, self._adapter, self._descriptor = path, adapter, descriptor
        self._offset = position
        self._held = bytearray()
        self._searched = 0
        self._is_skipping = False

    def read(self) -> Iterator[AgentEvent]:
        """The events of the lines that were completed since the last call, up to the file's end as it is now."""
        yield from self._lines()  # left over where the last caller did not listen to the end
        try:
            fd = durable.open_regular(self._path, os.O_RDONLY) if self._descriptor is None else os.dup(self._descriptor)
        except (OSError, UnsafePath):
            return
        try:
            end = os.fstat(fd).st_size
            if end < self._offset:
                self._restart(end)  # somebody cut the file: what was told was told
            while self._offset < end and self._fill(fd, end):
                yield from self._lines()
        finally:
            os.close(fd)

    def finish(self) -> Iterator[AgentEvent]:
        """As `read`, and the last line too, which has no end: for when nobody writes any more."""
        yield from self.read()
        if self._held and not self._is_skipping:
            line = bytes(self._held)
            self._restart(self._offset)
            yield from self._told(line)

    def skip(self, left: int) -> None:
        """Pass over what was not read yet, up to the first whole line in the last `left` bytes of the file."""
        try:
            end = os.lstat(self._path).st_size if self._descriptor is None else os.fstat(self._descriptor).st_size
        except OSError:
            return
        if end - left > self._offset:
            self._restart(end - left)
            self._is_skipping = True

    def _fill(self, fd: int, end: int) -> bool:
        """Take the next part of the file; False at its end."""
        try:
            data = os.pread(fd, min(_CHUNK, end - self._offset), self._offset)
        except OSError:
            return False
        self._offset += len(data)
        if data.count(0) < len(data):
            self._held += data
        elif data:
            self._offset = max(self._offset, min(_next_data(fd, self._offset), end))
            self._held += b"\n"  # what stands before a hole and what stands after it are two lines
        return bool(data)

    def _lines(self) -> Iterator[AgentEvent]:
        while (end := self._held.find(b"\n", self._searched)) >= 0:
            line = b"" if self._is_skipping else bytes(self._held[:end])
            del self._held[: end + 1]
            self._searched, self._is_skipping = 0, False
            self.position = self._offset - len(self._held)
            yield from self._told(line)
        if self._is_skipping:
            self._held.clear()
        self._searched = len(self._held)
        if len(self._held) > LONGEST_LINE:
            head = bytes(self._held[:_HEAD])
            self._held.clear()
            self._searched, self._is_skipping = 0, True
            yield AgentEvent(Kind.OTHER, _decoded(head))

    def _told(self, line: bytes) -> Iterator[AgentEvent]:
        if len(line) > LONGEST_LINE:
            yield AgentEvent(Kind.OTHER, _decoded(line[:_HEAD]))
            return
        text = _decoded(line.translate(None, b"\0")).strip()
        if not text:
            return
        try:
            events = list(self._adapter.events(text))
        except _ODD:
            events = [AgentEvent(Kind.OTHER, text)]
        for event in events:
            yield event if is_text(event.text) else replace(event, text=_printable(event.text))

    def _restart(self, offset: int) -> None:
        self.position = self._offset = offset
        self._held.clear()
        self._searched, self._is_skipping = 0, False


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _printable(text: str) -> str:
    """`text` as UTF-8 can hold it: JSON can spell half a character."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _next_data(fd: int, offset: int) -> int:
    """Where data comes again after a hole, as far as the file system can tell; `offset` where it cannot."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except (OSError, AttributeError):
        return offset
