"""The kernel's word about whether a branch may have moved, so that nobody has to look at the file of each."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from conductor_git.bus.watching.looks import distant
from conductor_git.server import folders

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
            is_watched = self._kernel is not None and self._top == folders.identity(self._common)
            if is_watched and not self._heard():
                return False
            self._watch_all()
            return True

    def close(self) -> None:
        """Give the watches back; from now on any branch may have moved."""
        with self._lock:
            self._is_possible = False
            self._forget()

    def _heard(self) -> bool:
        assert self._kernel is not None
        return any(self._concerns(event.wd, event.name) for event in self._kernel.read(timeout=0))

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
        top = folders.identity(self._common)
        if self._kernel is None or top != self._top:
            self._forget()
            self._kernel = folders.kernel()
        self._top = top

    def _watch(self, path: str, names: Collection[str] | None) -> None:
        assert self._kernel is not None
        self._names[folders.watch(self._kernel, path)] = names

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
