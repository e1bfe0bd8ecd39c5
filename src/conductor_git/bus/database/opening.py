"""Reading from and writing to a bus database, and what each failure of it means."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from shlex import quote
from typing import Final, TypeVar

from conductor_git import durable
from conductor_git.bus.database.connections import Kept, connections
from conductor_git.bus.database.failures import is_busy, is_refused, refusal
from conductor_git.bus.database.files import AS_IT_IS, Files, status
from conductor_git.bus.halt import Halt
from conductor_git.errors import BusDamaged

_Answer = TypeVar("_Answer")

_SLICE: Final = 0.05
"""The longest that SQLite itself waits for a writer: no signal interrupts it."""


class Database:
    """The database at `path`, which the first write makes. A writer waits for others for `seconds`."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self.halt = Halt(path)
        self._files = Files(path)
        self.log = self._files.log
        self._seconds = seconds

    def read(self, look: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """What `look` finds in the database; None where there is none."""
        with connections.operation(), self._explained():
            if self._inode() is None:
                return None
            with closing(self._open_to_read(self._seconds)) as db:
                return look(db)

    @contextmanager
    def writing(self, *, though_moved: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction that keeps all other writers out. On disk when the block is over, whole or not at all.

        Refused where the bus takes no messages (`BusDamaged`, and `BusMoved` unless `though_moved`).
        """
        with connections.operation(), self._explained(self.halt):
            with self._unwritable():
                begun = self._begun()
            with closing(begun) as db:
                self.halt.require_none(though_moved=though_moved)
                self._make_names_durable()
                yield db
                db.execute("COMMIT")

    def keeping(self) -> AbstractContextManager[Kept]:
        """A connection for `look`, which shows other processes between two looks that the log is still in use."""
        return connections.keeping(lambda: self._open_to_read(min(_SLICE, self._seconds)))

    def look(self, kept: Kept, look: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """As `read`, with a connection that is kept."""
        with connections.operation(), self._explained():
            inode = self._inode()
            return None if inode is None else look(kept.to(inode))

    def is_there(self) -> bool:
        with connections.operation(), self._explained():
            return self._inode() is not None

    def _inode(self) -> int | None:
        try:
            return self._files.inode()
        except OSError as error:
            raise BusDamaged(
                f"{self.path} could not be read: {error.strerror}",
                hint=f"ls -ld {quote(str(self.path))}",
                path=str(self.path),
            ) from error

    def _begun(self) -> sqlite3.Connection:
        end = time.monotonic() + self._seconds
        while True:
            inode = self._made()
            db = _patient(lambda: self._files.connect(min(_SLICE, self._seconds)), end)
            try:
                self._require_log(db)
                _patient(lambda db=db: db.execute("BEGIN IMMEDIATE"), end)  # type: ignore[misc]
                if self._files.inode() == inode:
                    return db
            except BaseException:
                db.close()
                raise
            db.close()

    def _made(self) -> int:
        while (inode := self._files.inode()) is None:
            self._files.make(self._seconds)
        return inode

    def _require_log(self, db: sqlite3.Connection) -> None:
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise BusDamaged(
                f"the file system of {self.path} holds no write-ahead log, only {mode!r}",
                hint=f"df {quote(str(self.path.parent))}",
                path=str(self.path),
            )

    def _make_names_durable(self) -> None:
        """With all other writers kept out: whoever appends after the first one relies on the names of both files."""
        with self._unwritable():
            found = status(self.log)
        if found is None:
            raise BusDamaged(
                f"{self.log} was removed while it was in use", hint="conductor-git bus verify", path=str(self.log)
            )
        if not found.st_size:
            try:
                durable.flush_directory(self.path.parent)
            except OSError as error:
                raise self.halt.flush_failed(error) from error

    def _open_to_read(self, seconds: float) -> sqlite3.Connection:
        try:
            return self._files.connect(seconds)
        except sqlite3.OperationalError as error:
            # In a directory that we may not write to, SQLite cannot make what its readers and writers share.
            if not is_refused(error) or status(self.log) is not None:
                raise
            return self._files.connect(seconds, AS_IT_IS)

    @contextmanager
    def _explained(self, halt: Halt | None = None) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise refusal(error, self.path, self._seconds, halt) from error

    @contextmanager
    def _unwritable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise durable.unwritable(self.path, error) from error


def _patient(step: Callable[[], _Answer], end: float) -> _Answer:
    """`step`, again and again while another writer is in its way, until `end`."""
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= end:
                raise
        time.sleep(0.001)
