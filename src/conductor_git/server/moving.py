"""The kernel's word about whether a branch may have moved, so that nobody has to look at the file of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from conductor_git.bus.watching.looks import distant

if TYPE_CHECKING:
    from inotify_simple import INotify  # type: ignore[import-untyped]

_REPOSITORY: Final = frozenset({"packed-refs", "refs", "reftable"})
_REFS: Final = frozenset({"heads"})
_LOCK: Final = ".lock"
"""How git's lock files end, and no branch."""


class Moving:
    """Call it before each look at the branches of the repository at `common`: False says that no file which holds one
    was changed, made or removed since the last call, by whatever program.

    It is True each time where nobody tells of changes: another system, a file system that others write to, no watches
    left, a symlink among the branches, branches in a reftable. Not noticed is a write through memory (`mmap`).
    """

    def __init__(self, common: Path) -> None:
        self._common = os.fspath(common)
        self._lock = Lock()
        self._kernel: INotify | None = None
        self._names: dict[int, Collection[str] | None] = {}
        """Watch → the names in its folder that concern us; None for all but locks."""
        self._top: tuple[int, int] | None = None
        self._is_possible = sys.platform == "linux" and not distant(common)

    def __call__(self) -> bool:
        with self._lock:
            if not self._is_possible:
                return True
            if self._kernel is not None and self._top == self._identity() and not self._heard(self._kernel):
                return False
            self._watch_all()
            return True

    def close(self) -> None:
        """Give the watches back; from now on any branch may have moved."""
        with self._lock:
            self._is_possible = False
            self._forget()

    def _heard(self, kernel: INotify) -> bool:
        return any(self._concerns(event.wd, event.name) for event in kernel.read(timeout=0))

    def _concerns(self, watch: int, name: str) -> bool:
        if watch < 0:  # more happened than the kernel could keep
            return True
        names = self._names.get(watch, ())
        return not name.endswith(_LOCK) if names is None else name in names

    def _watch_all(self) -> None:
        """From the top down, so that whatever comes while we look is told by what lies above it."""
        try:
            self._begin()
            self._names = {}
            self._watch(self._common, _REPOSITORY)
            self._watch(f"{self._common}/refs", _REFS)
            for place in _folders(f"{self._common}/refs/heads"):
                self._watch(place, None)
            self._is_possible = not os.path.lexists(f"{self._common}/reftable")
        except FileNotFoundError:
            self._forget()  # removed while we look: the next call begins anew
        except (ImportError, OSError):
            self._is_possible = False
        if not self._is_possible:
            self._forget()

    def _begin(self) -> None:
        """What is watched already stays watched: to give it back would take the kernel milliseconds."""
        from inotify_simple import INotify

        top = self._identity()
        if self._kernel is None or top != self._top:
            self._forget()
            self._kernel = INotify(nonblocking=True)
        self._top = top

    def _watch(self, path: str, names: Collection[str] | None) -> None:
        from inotify_simple import flags

        mask = flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO | flags.MODIFY | flags.ONLYDIR
        assert self._kernel is not None
        self._names[self._kernel.add_watch(path, mask | flags.DONT_FOLLOW)] = names

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.lstat(self._common)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _forget(self) -> None:
        self._names = {}
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None


def _folders(path: str) -> Iterator[str]:
    """`path` and every folder below it, each before what is in it; an `OSError` for a symlink among them."""
    yield path
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise OSError(f"{entry.path} may change elsewhere")
            if entry.is_dir():
                yield from _folders(entry.path)
