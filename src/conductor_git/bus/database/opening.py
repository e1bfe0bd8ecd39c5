"""Opening, making and writing to the database of a bus: what may be opened at all, and what each failure means."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from conductor_git import durable
from conductor_git.bus.database.connections import Kept, connections
from conductor_git.bus.database.failures import is_busy, refusal
from conductor_git.bus.database.rows import SCHEMA
from conductor_git.bus.halt import Halt
from conductor_git.errors import BusDamaged

_Answer = TypeVar("_Answer")

APPLICATION: Final = int.from_bytes(b"Cond")
VERSION: Final = 1
_WAL_FORMAT: Final = b"\2\2"
"""What bytes 18 and 19 of a database file are where it has a write-ahead log (sqlite.org/fileformat2.html)."""
_SLICE: Final = 0.05
"""The longest that SQLite waits by itself for a writer, which no signal interrupts."""


class Database:
    """The database at `path`, which the first write makes. A writer waits for others for `seconds`."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}-wal")
        self.halt = Halt(path)
        self._beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]
        self._seconds = seconds
        self._ours: int | None = None
        """The inode that was found to be a bus of ours."""

    def read(self, look: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """What `look` finds in the database; None where there is none. Whatever it reads is of one moment."""
        with connections.operation(), self._explained():
            if self._inode_to_read() is None:
                return None
            with closing(self._open_to_read(self._seconds)) as db:
                return look(db)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that keeps all other writers out. On disk when the block is over, whole or not at all.

        Refused where the bus takes no messages (`BusDamaged`, `BusMoved`).
        """
        with connections.operation(), self._explained(self.halt):
            with self._unwritable():
                begun = self._begun()
            with closing(begun) as db:
                self.halt.require_none()
                self._make_names_durable()
                yield db
                db.execute("COMMIT")

    def keeping(self) -> AbstractContextManager[Kept]:
        """A connection for `look`, by which SQLite knows that the database is in use between two looks."""
        return connections.keeping(lambda: self._open_to_read(min(_SLICE, self._seconds)))

    def look(self, kept: Kept, look: Callable[[sqlite3.Connection], _Answer]) -> _Answer | None:
        """As `read`, with a connection that is kept."""
        with connections.operation(), self._explained():
            return look(kept.to(inode)) if (inode := self._inode_to_read()) is not None else None

    def is_there(self) -> bool:
        return self._inode_to_read() is not None

    def _inode_to_read(self) -> int | None:
        try:
            return self._inode()
        except OSError as error:
            raise BusDamaged(
                f"{self.path} could not be read: {error.strerror}", hint=f"ls -ld {self.path}", path=str(self.path)
            ) from error

    def _inode(self) -> int | None:
        """The inode of the database, checked to be one of ours; None where there is none yet.

        Nothing but SQLite opens the file: whoever closes a file drops all locks that its process has on it.
        """
        for path in self._beside:
            _status(path)
        found = _status(self.path)
        if found is None or not found.st_size:
            self._refuse_orphan()
            return None
        if found.st_ino != self._ours:
            self._require_ours()
            self._ours = found.st_ino
        return found.st_ino

    def _begun(self) -> sqlite3.Connection:
        end = time.monotonic() + self._seconds
        while True:
            inode = self._made()
            db = _patient(lambda: self._open(min(_SLICE, self._seconds)), end)
            try:
                self._require_log(db)
                _patient(lambda db=db: db.execute("BEGIN IMMEDIATE"), end)  # type: ignore[misc]
                if self._inode() == inode:
                    return db
            except BaseException:
                db.close()
                raise
            db.close()

    def _made(self) -> int:
        """The inode of the database; made whole and empty where there is none, under a lock on its directory."""
        while (inode := self._inode()) is None:
            durable.make_directory(self.path.parent)
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with durable.flocked(directory, seconds=self._seconds, path=self.path):
                    if self._inode() is None:
                        durable.drop_temporaries(self.path)
                        durable.replace(self.path, _image())
            finally:
                os.close(directory)
        return inode

    def _make_names_durable(self) -> None:
        """With the writers' lock held: whoever appends after the first one relies on the names of both files."""
        found = _status(self.log)
        if found is None:
            raise BusDamaged(
                f"{self.log} was removed while it was in use", hint="conductor-git bus verify", path=str(self.log)
            )
        if not found.st_size:
            try:
                durable.flush_directory(self.path.parent)
            except OSError as error:
                raise self.halt.flush_failed(error) from error

    def _open(self, seconds: float, how: str = "mode=rw") -> sqlite3.Connection:
        where = f"file:{quote(os.fsencode(os.path.abspath(self.path)))}?{how}"
        # Threads take turns with the connection of a follower; all others are used by one.
        db = sqlite3.connect(where, seconds, isolation_level=None, check_same_thread=False, uri=True)
        try:
            db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA schema_version").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _open_to_read(self, seconds: float) -> sqlite3.Connection:
        try:
            return self._open(seconds)
        except sqlite3.OperationalError as error:
            # In a directory that we may not write to, SQLite cannot make the files that share the log.
            if error.sqlite_errorcode != sqlite3.SQLITE_CANTOPEN or _status(self.log) is not None:
                raise
            return self._open(seconds, "mode=ro&immutable=1")

    def _require_ours(self) -> None:
        # Opened as immutable, so that a database of somebody else is left as it is, down to its log.
        with closing(self._open(self._seconds, "mode=ro&immutable=1")) as db:
            application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in _MARKS)
        if application != APPLICATION:
            raise BusDamaged(
                f"{self.path} is a database of something else than a bus",
                hint=f"ls -l {self.path}",
                path=str(self.path),
            )
        if version != VERSION:
            raise BusDamaged(
                f"{self.path} has the format {version}, and this version of conductor-git knows {VERSION}",
                hint="conductor-git --version",
                path=str(self.path),
            )

    def _require_log(self, db: sqlite3.Connection) -> None:
        mode = _patient(lambda: db.execute("PRAGMA journal_mode = WAL").fetchone()[0], time.monotonic() + self._seconds)
        if mode != "wal":
            raise BusDamaged(
                f"the file system of {self.path} holds no write-ahead log, only {mode!r}",
                hint=f"df {self.path.parent}",
                path=str(self.path),
            )

    def _refuse_orphan(self) -> None:
        found = _status(self.log)
        if found is not None and found.st_size:
            raise BusDamaged(
                f"{self.log} can hold messages, and its database {self.path.name} is gone",
                hint=f"ls -l {self.path.parent}",
                path=str(self.log),
            )

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


_MARKS: Final = ("application_id", "user_version")


def _image() -> bytes:
    """The bytes of an empty bus, so that nobody ever meets a database that is half made."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(f"{SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};")
        image = db.serialize()
    return image[:18] + _WAL_FORMAT + image[20:]


def _patient(step: Callable[[], _Answer], end: float) -> _Answer:
    """`step`, again and again while another writer is in its way, until `end`."""
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= end:
                raise
        time.sleep(0.001)


def _status(path: Path) -> os.stat_result | None:
    """What is at `path`; `BusDamaged` where that is no regular file, which could block whoever opens it."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        raise BusDamaged(
            f"{path} is not a regular file, so no message is read from it or written to it",
            hint=f"ls -ld {path}",
            path=str(path),
        )
    return found
