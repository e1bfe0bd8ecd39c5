"""The kernel's word about which records of tasks may have changed, so that nobody has to look at each."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from conductor_git.bus.watching.looks import distant
from conductor_git.server import folders

if TYPE_CHECKING:
    from inotify_simple import INotify  # type: ignore[import-untyped]

_RECORD: Final = "run-info.yaml"


class Noticing:
    """Call it before each look: it returns the names of the tasks whose records may have changed since the last call,
    None where that may be any.

    A change is noticed once it is made, by whatever program, as long as that writes to the record by its own name.
    Where nobody tells of changes (another system, a file system that others write to, no watches left, a task's folder
    that is a symlink) it is None each time.
    """

    def __init__(self, tasks: Path) -> None:
        self._tasks = tasks
        self._lock = Lock()
        self._kernel: INotify | None = None
        self._names: dict[int, str] = {}
        """Watch → the task whose folder it watches; empty for the folder of all."""
        self._top: tuple[int, int] | None = None
        self._is_possible = sys.platform == "linux" and not distant(tasks)

    def __call__(self) -> Collection[str] | None:
        with self._lock:
            if not self._is_possible:
                return None
            if self._kernel is None or self._top != folders.identity(self._tasks):
                self._begin()
                return None
            return self._heard()

    def close(self) -> None:
        """Give the watches back; from now on any record may have changed."""
        with self._lock:
            self._is_possible = False
            self._forget()

    def _heard(self) -> Collection[str] | None:
        assert self._kernel is not None
        found = set[str]()
        for event in self._kernel.read(timeout=0):
            task = self._names.get(event.wd)
            if task == "" and event.name:
                found.add(event.name)
                self._add(event.name)
            elif task and event.name == _RECORD:
                found.add(task)
            elif event.wd < 0:  # more happened than the kernel could keep
                self._begin()
                return None
        return found if self._is_possible else None

    def _begin(self) -> None:
        """Watch everything afresh, the folder of all first, so that what comes meanwhile is told."""
        self._forget()
        self._top = folders.identity(self._tasks)
        if self._top is None:
            return
        try:
            self._kernel = folders.kernel()
            self._watch(self._tasks, "")
        except (ImportError, OSError):
            self._is_possible = False
            return
        try:
            names = os.listdir(self._tasks)  # noqa: PTH208 - ten times as quick
        except FileNotFoundError:
            return  # removed since, and the next call begins anew
        for name in names:
            self._add(name)

    def _add(self, name: str) -> None:
        path = self._tasks / name
        try:
            self._is_possible &= not path.is_symlink()
            self._watch(path, name)
        except (FileNotFoundError, NotADirectoryError):
            return  # removed since, or no folder
        except OSError:
            self._is_possible = False

    def _watch(self, path: Path, name: str) -> None:
        assert self._kernel is not None
        self._names[folders.watch(self._kernel, path)] = name

    def _forget(self) -> None:
        self._names = {}
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None
