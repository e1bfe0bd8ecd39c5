"""Writing to the bus file: ids under the lock, torn tails to the quarantine, the flush after the unlock."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.bus.end import end
from conductor_git.errors import BusDamaged, StateUnwritable, UnsafePath
from conductor_git.frames.frame import Draft, draft
from conductor_git.message import Message, make_msg_id, next_time, timestamp

_counter: Final = count()


class Appender:
    """Appends to the bus file at `path`; any number of processes and threads may do so at once."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._name = os.fspath(path)
        self.failure_marker = path.with_name(f"{path.name}.flush-failed")
        """The file that says that a flush failed; while it is there, the bus takes no message."""
        self._marker_name = os.fspath(self.failure_marker)
        self._seconds = seconds
        self._failed = False
        """A flush of ours failed; counts also where the marker could not be written."""

    def append(self, message: Message) -> str:
        """Store `message` and return its new id; whole, in its place and on disk when this returns.

        An error means that the message is not acknowledged; after `BusDamaged` readers may see it all the same.
        """
        made = draft(message)
        msg_id = None
        while msg_id is None:
            fd = self._open()
            try:
                msg_id = self._append(fd, made)
                if msg_id is not None:
                    self._flush(fd)
            except OSError as error:
                raise durable.unwritable(self._path, error) from error
            finally:
                os.close(fd)
        return msg_id

    def forget_failure(self) -> None:
        """Take messages again after a failed flush."""
        durable.remove(self.failure_marker)
        self._failed = False

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

    def _append(self, fd: int, made: Draft) -> str | None:
        """Write the frame under the lock; None where the file was replaced while we waited for it."""
        with durable.flocked(fd, seconds=self._seconds, path=self._path):
            known = os.fstat(fd)
            if not self._is_current(known.st_ino):
                return None
            self._require_flushed()
            last_id, size, padding = self._prepared(fd, known.st_size)
            now = next_time(time.time_ns(), last_id)
            msg_id = make_msg_id(now, os.getpid(), next(_counter))
            frame = padding + made.seal(msg_id, timestamp(now))
            self._write(fd, frame, size)
        return msg_id

    def _is_current(self, inode: int) -> bool:
        try:
            return os.lstat(self._name).st_ino == inode
        except FileNotFoundError:
            return False

    def _require_flushed(self) -> None:
        if self._failed or os.access(self._marker_name, os.F_OK):
            raise BusDamaged(
                f"{self._path} takes no messages: a flush failed, and what was written before it may be lost",
                hint="conductor-git bus verify",
                path=str(self._path),
            )

    def _prepared(self, fd: int, size: int) -> tuple[str, int, bytes]:
        """The last id, the size, and what must come before the next frame, once the file ends as it should."""
        if size == 0:
            # Under the lock and before the first message: whoever appends after it relies on the name.
            durable.flush_directory(self._path.parent)
            return "", 0, b""
        known = end(fd, size)
        if known.torn is not None:
            self._cut(fd, known.torn, size)
            size = known.torn
        # Another tool's last line may lack its newline; one more than needed does no harm.
        return known.last_id, size, b"" if known.parted else b"\n\n"

    def _cut(self, fd: int, torn: int, size: int) -> None:
        """Move the torn tail to the quarantine, durably, and only then cut it off."""
        quarantine = self._path.parent / "quarantine"
        durable.make_directory(quarantine)
        tail = os.pread(fd, size - torn, torn)
        durable.replace(quarantine / f"{self._path.name}.{torn}.{time.time_ns()}.torn", tail, mode=0o600)
        os.ftruncate(fd, torn)

    def _write(self, fd: int, frame: bytes, size: int) -> None:
        """One write; where a full disk or a signal took only a part of it, that part is cut off again at once."""
        try:
            written = os.write(fd, frame)
            durable.write_all(fd, frame[written:])
        except BaseException:
            with suppress(OSError):
                os.ftruncate(fd, size)
            raise

    def _flush(self, fd: int) -> None:
        try:
            durable.flush(fd)
        except OSError as error:
            self._failed = True
            said = f"{timestamp(time.time_ns())} {error.strerror or error}\n"
            with suppress(StateUnwritable):
                durable.replace(self.failure_marker, said.encode())
            raise BusDamaged(
                f"the flush of {self._path} failed ({error.strerror or error}): the message may be lost, and the bus "
                "takes no more",
                hint="conductor-git bus verify",
                path=str(self._path),
                errno=error.errno,
            ) from error


def not_a_file(path: Path) -> BusDamaged:
    return BusDamaged(
        f"{path} is not a regular file, so no message is read from it or written to it",
        hint=f"ls -ld {path}",
        path=str(path),
    )
