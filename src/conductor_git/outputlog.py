"""A log file of bounded size for a command of unbounded output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from conductor_git.errors import StateUnwritable


def open_log(path: Path, flags: int) -> int:
    """A descriptor to write `path`, made with mode 0600, never through a link; `StateUnwritable` where that fails."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
    except OSError as failure:
        raise unwritable(path, failure) from failure


def unwritable(path: Path, failure: OSError) -> StateUnwritable:
    return StateUnwritable(
        f"the log {path} cannot be written: {failure.strerror}", hint=f"df -h {path.parent}", path=str(path)
    )


class OutputLog:
    """Keeps the first and the last `limit` / 2 bytes of what is written, and says how many are missing between.

    The head is in the file at once, the tail from the end of the `with` block on; until then it is in memory, where
    it never takes more than `limit`. A crash costs the tail.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._half = limit // 2
        self._head_room = self._half
        self._tail = bytearray()
        self._dropped = 0
        self._fd = open_log(path, os.O_TRUNC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._finish()
        finally:
            os.close(self._fd)

    def write(self, data: bytes) -> None:
        head, tail = data[: self._head_room], data[self._head_room :]
        self._head_room -= len(head)
        self._store(head)
        self._tail += tail
        if len(self._tail) > 2 * self._half:
            self._drop()

    def _finish(self) -> None:
        self._drop()
        if self._dropped:
            self._store(b"\n[... %d bytes left out ...]\n" % self._dropped)
        self._store(bytes(self._tail))

    def _drop(self) -> None:
        too_many = max(0, len(self._tail) - self._half)
        self._dropped += too_many
        del self._tail[:too_many]

    def _store(self, data: bytes) -> None:
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as failure:
            raise unwritable(self._path, failure) from failure
