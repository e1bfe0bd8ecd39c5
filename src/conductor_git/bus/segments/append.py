"""Writing to the bus file: ids under the lock, torn tails to the quarantine, the flush after the unlock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.bus.halt import Halt
from conductor_git.bus.segments.end import end
from conductor_git.bus.segments.listing import closed_segments, inode_at, not_a_file, open_segment, segment_path
from conductor_git.errors import UnsafePath
from conductor_git.frames.frame import Draft
from conductor_git.message import id_key, id_time, make_msg_id, next_time, timestamp

_counter: Final = count()

Making = Callable[[str], bytes]
"""Makes the bytes to write from the last id on the bus, with the lock held."""


class Appender:
    """Appends to the bus file at `path`; any number of processes and threads may do so at once.

    A file that would get larger than `segment_bytes` is closed: renamed for its first message, and a new one begun.
    """

    def __init__(self, path: Path, seconds: float, segment_bytes: int) -> None:
        self._path = path
        self._name = os.fspath(path)
        self._seconds = seconds
        self._segment_bytes = segment_bytes
        self.halt = Halt(path)

    def append(self, made: Draft) -> str:
        """Store the message and return its new id; whole, in its place and on disk when this returns.

        An error means that the message is not acknowledged; after `BusDamaged` readers may see it all the same.
        """
        msg_id = ""

        def make(last_id: str) -> bytes:
            nonlocal msg_id
            now = next_time(time.time_ns(), last_id)
            msg_id = make_msg_id(now, os.getpid(), next(_counter))
            return made.seal(msg_id, timestamp(now))

        self.store(make)
        return msg_id

    def store(self, make: Making, *, though_moved: bool = False) -> None:
        """Write what `make` gives as one piece, and flush it after the unlock, so that writers who wait share one."""
        is_stored = False
        while not is_stored:
            fd = self._open()
            try:
                is_stored = self._write_locked(fd, make, though_moved)
                if is_stored:
                    self._flush(fd)
            except OSError as error:
                raise durable.unwritable(self._path, error) from error
            finally:
                os.close(fd)

    @contextmanager
    def held(self) -> Iterator[int]:
        """Keep all writers out of a bus that takes messages; yields a descriptor of its file."""
        while True:
            fd = self._open()
            try:
                with durable.flocked(fd, seconds=self._seconds, path=self._path):
                    if inode_at(self._name) == os.fstat(fd).st_ino:
                        self.halt.require_none()
                        yield fd
                        return
            finally:
                os.close(fd)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
        try:
            try:
                return durable.open_regular(self._path, flags)
            except FileNotFoundError:
                durable.make_directory(self._path.parent)
                return durable.open_regular(self._path, flags)
        except UnsafePath as other:
            raise not_a_file(self._path) from other
        except OSError as error:
            raise durable.unwritable(self._path, error) from error

    def _write_locked(self, fd: int, make: Making, though_moved: bool) -> bool:
        """Whether it was written: not where the file was renamed or replaced while we waited, or is full."""
        with durable.flocked(fd, seconds=self._seconds, path=self._path):
            known = os.fstat(fd)
            if inode_at(self._name) != known.st_ino:
                return False
            self.halt.require_none(though_moved=though_moved)
            last_id, size, padding = self._prepared(fd, known.st_size)
            data = padding + make(last_id)
            if size and size + len(data) > self._segment_bytes and self._close_segment(fd, last_id):
                return False
            self._write(fd, data, size)
        return True

    def _prepared(self, fd: int, size: int) -> tuple[str, int, bytes]:
        """The last id, the size, and what must come before the next frame, once the file ends as it should."""
        if size == 0:
            # Under the lock and before the first message: whoever appends after it relies on the name.
            durable.flush_directory(self._path.parent)
            return self._last_closed_id(), 0, b""
        known = end(fd, size)
        if known.torn is not None:
            self._cut(fd, known.torn, size)
            size = known.torn
        # Another tool's last line may lack its newline; one more than needed does no harm.
        return known.last_id or self._last_closed_id(), size, b"" if known.parted else b"\n\n"

    def _last_closed_id(self) -> str:
        """The last id of the newest closed segment: a new file goes on from there."""
        for segment in reversed(closed_segments(self._path)):
            fd = open_segment(segment.path)
            if fd is not None:
                try:
                    return max(end(fd, os.fstat(fd).st_size).last_id, segment.first_id, key=id_key)
                finally:
                    os.close(fd)
        return ""

    def _close_segment(self, fd: int, last_id: str) -> bool:
        """Give the full file its name as a segment; False where it has no message that could name it."""
        from conductor_git.bus.segments.scan import first_id

        known = closed_segments(self._path)
        newest = known[-1].first_id if known else ""
        ids = (id_ for id_ in (first_id(fd), last_id) if id_time(id_) is not None)
        named = next((id_ for id_ in ids if id_key(id_) > id_key(newest)), None)
        if named is None:
            return False
        try:
            durable.flush(fd)
        except OSError as error:
            raise self.halt.flush_failed(error) from error
        durable.rename(self._path, segment_path(self._path, named))
        return True

    def _cut(self, fd: int, torn: int, size: int) -> None:
        """Move the torn tail to the quarantine, durably, and only then cut it off."""
        quarantine = self._path.parent / "quarantine"
        durable.make_directory(quarantine)
        tail = os.pread(fd, size - torn, torn)
        durable.replace(quarantine / f"{self._path.name}.{torn}.{time.time_ns()}.torn", tail, mode=0o600)
        os.ftruncate(fd, torn)

    def _write(self, fd: int, data: bytes, size: int) -> None:
        """One write; where a full disk or a signal took only a part of it, that part is cut off again at once."""
        try:
            written = os.write(fd, data)
            if written < len(data):
                durable.write_all(fd, data[written:])
        except BaseException:
            with suppress(OSError):
                os.ftruncate(fd, size)
            raise

    def _flush(self, fd: int) -> None:
        try:
            durable.flush(fd)
        except OSError as error:
            raise self.halt.flush_failed(error) from error
