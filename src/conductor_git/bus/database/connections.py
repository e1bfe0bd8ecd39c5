"""The SQLite connections that this process has open, so that none of them goes through a fork.

SQLite locks its files with fcntl locks, which a forked child does not inherit, while the child's copy of SQLite's
memory says that they are held. A connection that the child opened to the same file would take no lock of its own, and
another process could remove the write-ahead log under it, with acknowledged messages in it. So nothing may be open at a
fork: a connection lives for one operation, a fork waits for the operations of other threads, and the connection that
a follower keeps between two of its looks is closed before the fork and opened again by whoever looks next.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from conductor_git.errors import ConductorError


class Kept:
    """A connection that stays open between uses, unless the process forks or the file is another one."""

    def __init__(self, opened: Callable[[], sqlite3.Connection]) -> None:
        self.inode: int | None = None
        self._opened = opened
        self._connection: sqlite3.Connection | None = None

    def to(self, inode: int) -> sqlite3.Connection:
        """The connection to the database that has `inode`; call it in each operation anew."""
        if self.inode != inode:
            self.close()
            self.inode = inode
        if self._connection is None:
            self._connection = self._opened()
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Connections:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._threads: Counter[int] = Counter()
        """How many operations each thread is in."""
        self._kept: set[Kept] = set()
        self._forking = False
        self._crossed = False

    @contextmanager
    def operation(self) -> Iterator[None]:
        """Open and use connections only in here, and close them before it ends."""
        thread = threading.get_ident()
        with self._changed:
            self._refuse_if_crossed()
            while self._forking and thread not in self._threads:
                self._changed.wait()
            self._threads[thread] += 1
        try:
            yield
        finally:
            with self._changed:
                self._threads -= Counter((thread,))
                self._changed.notify_all()

    @contextmanager
    def keeping(self, opened: Callable[[], sqlite3.Connection]) -> Iterator[Kept]:
        kept = Kept(opened)
        with self._changed:
            self._kept.add(kept)
        try:
            yield kept
        finally:
            with self._changed:
                self._kept.discard(kept)
                kept.close()

    def before_fork(self) -> None:
        # Held until the fork is over: no thread begins an operation meanwhile.
        self._changed.acquire()
        self._forking = True
        while self._threads.keys() - {threading.get_ident()}:
            self._changed.wait()
        for kept in self._kept:
            kept.close()

    def after_fork_in_parent(self) -> None:
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def after_fork_in_child(self) -> None:
        self._forking = False
        self._crossed |= bool(self._threads)
        # The threads that wait for the old one are not here.
        self._changed = threading.Condition()

    def _refuse_if_crossed(self) -> None:
        if self._crossed:
            raise ConductorError(
                "this process was forked in the middle of an operation on a SQLite bus, and can use none safely",
                hint="start it as a new program instead",
            )


connections = _Connections()
os.register_at_fork(
    before=connections.before_fork,
    after_in_parent=connections.after_fork_in_parent,
    after_in_child=connections.after_fork_in_child,
)
