"""The files of a bus database: what may be opened at all, and how a new one is made.

Nothing but SQLite opens them: whoever closes a file drops all locks that its process has on it.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from shlex import quote
from typing import Final
from urllib.parse import quote as quote_url

from conductor_git import durable
from conductor_git.bus.database.rows import SCHEMA
from conductor_git.errors import BusDamaged

APPLICATION: Final = int.from_bytes(b"Cond")
VERSION: Final = 1
AS_IT_IS: Final = "mode=ro&immutable=1"
"""How to open a database without a lock and without making or removing any file."""
_MARKS: Final = ("application_id", "user_version")
_PATIENCE: Final = 5
_WAL_FORMAT: Final = b"\2\2"
"""What bytes 18 and 19 of a database file are where it has a write-ahead log (sqlite.org/fileformat2.html)."""


class Files:
    """The database at `path` and what SQLite keeps beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}-wal")
        self._beside = [path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")]
        self._ours: int | None = None
        """The inode that was found to be a bus of ours."""

    def inode(self) -> int | None:
        """The inode of the database, once it is sure to be one of ours; None where there is none yet."""
        for path in self._beside:
            status(path)
        found = self._database()
        if found is None and self._log_holds_messages():
            # Whoever made both may have done it between our two looks. A database comes before its log, and stays.
            found = self._database()
            if found is None:
                look = f"ls -l {quote(str(self.path.parent))}"
                raise _damaged(self.log, "can hold messages, and its database is gone", look)
        if found is None:
            return None
        if found.st_ino != self._ours:
            self._require_ours()
            self._ours = found.st_ino
        return found.st_ino

    def make(self, seconds: float) -> None:
        """Make an empty bus where there is none; no crash leaves half of one, and nobody ever meets it."""
        durable.make_directory(self.path.parent)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with durable.flocked(directory, seconds=seconds, path=self.path):
                if self.inode() is None:
                    durable.drop_temporaries(self.path)
                    durable.replace(self.path, _empty())
        finally:
            os.close(directory)

    def connect(self, seconds: float, how: str = "mode=rw") -> sqlite3.Connection:
        where = f"file:{quote_url(os.fsencode(self.path))}?{how}"
        # Threads take turns with the connection of a follower; any other is used by one alone.
        db = sqlite3.connect(where, seconds, isolation_level=None, check_same_thread=False, uri=True)
        try:
            db.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
            db.execute("PRAGMA synchronous = FULL")
            # From here on its lock on the database keeps others from removing the log.
            db.execute("PRAGMA schema_version").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _require_ours(self) -> None:
        application, version = self._marks()
        if application != APPLICATION:
            raise _damaged(self.path, "is a database of something else than a bus", f"ls -l {quote(str(self.path))}")
        if version != VERSION:
            said = f"has the format {version}, and this version of conductor-git knows {VERSION}"
            raise _damaged(self.path, said, "conductor-git --version")

    def _marks(self) -> tuple[int, int]:
        """What the database says it is: its application, and the version of its format."""
        try:
            # A database of somebody else is left as it is, down to its log.
            return self._marks_by(0, AS_IT_IS)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
                raise
        # While the log is copied into it, or was when somebody was killed, it makes sense only together with its log.
        return self._marks_by(_PATIENCE)

    def _marks_by(self, seconds: float, how: str = "mode=rw") -> tuple[int, int]:
        with closing(self.connect(seconds, how)) as db:
            application, version = (db.execute(f"PRAGMA {mark}").fetchone()[0] for mark in _MARKS)
        return application, version

    def _database(self) -> os.stat_result | None:
        """What the database is on disk; None where there is none, or an empty file, which SQLite takes for none."""
        found = status(self.path)
        return found if found is not None and found.st_size else None

    def _log_holds_messages(self) -> bool:
        found = status(self.log)
        return found is not None and found.st_size > 0


def status(path: Path) -> os.stat_result | None:
    """What is at `path`; `BusDamaged` where that is no regular file, which could block whoever opens it."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(found.st_mode):
        said = "is not a regular file, so no message is read from it or written to it"
        raise _damaged(path, said, f"ls -ld {quote(str(path))}")
    return found


def _empty() -> bytes:
    """A database without messages."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(f"{SCHEMA} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};")
        image = db.serialize()
    return image[:18] + _WAL_FORMAT + image[20:]


def _damaged(path: Path, said: str, hint: str) -> BusDamaged:
    return BusDamaged(f"{path} {said}", hint=hint, path=str(path))
