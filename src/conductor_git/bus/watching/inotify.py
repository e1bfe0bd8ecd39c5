"""Waiting for a file to change as the Linux kernel tells of it."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

from conductor_git.bus.watching.looks import sleep

if TYPE_CHECKING:
    from conductor_git.bus.watching.stop import Stop

_WRITTEN: Final = int(flags.MODIFY)
_FILE: Final = _WRITTEN | flags.DONT_FOLLOW
_ITSELF: Final = flags.MOVE_SELF | flags.DELETE_SELF | flags.ONLYDIR
_NAMES: Final = _ITSELF | flags.CREATE | flags.DELETE | flags.MOVED_FROM | flags.MOVED_TO
_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR)
_OVERFLOW: Final = -1
"""The watch descriptor of the word that more happened than the kernel could keep."""


class Inotify:
    """The kernel's word about the file `path`; an `OSError` where it gives no instance or no watch.

    Watched are writes to the file, names in its directory (or in the last above it that is there), and the moving and
    removal of every directory on the way. Not noticed is a symlink on the way that is turned elsewhere, nor that a
    directory was removed in which some process still has its working directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._directories = [os.fspath(place) for place in reversed(path.parents)]
        self._below = {os.fspath(place.parent): place.name for place in (path, *path.parents)}
        self._kernel = INotify(nonblocking=True)
        self._names: dict[int, tuple[str, ...]] = {}
        """Watch descriptor → the names whose events concern us; the empty one is the watched thing itself."""
        self._is_stale = True

    def arm(self) -> None:
        # Writes leave the watches as they are. Anything else may have put another inode on the way.
        self._heard()
        if self._is_stale:
            self._is_stale = False
            before, self._names = self._names, {_OVERFLOW: ("",)}
            self._watch_all()
            for left in before.keys() - self._names.keys():
                with suppress(OSError):  # the kernel took it back when the inode went
                    self._kernel.rm_watch(left)

    def wait(self, stop: Stop | None) -> None:
        while not (stop and stop.is_set):
            sleep(stop, self._kernel.fileno())
            if self._heard():
                break

    def close(self) -> None:
        self._kernel.close()

    def _heard(self) -> bool:
        """Take what the kernel has to tell; whether any of it concerns the file."""
        heard = [event for event in self._kernel.read(timeout=0) if event.name in self._names.get(event.wd, ())]
        self._is_stale |= any(event.mask != _WRITTEN for event in heard)
        return bool(heard)

    def _watch_all(self) -> None:
        """From the top down, so that whatever is made or moved behind our back is told by what lies above it."""
        for above, directory in pairwise(self._directories):
            if not self._add(directory, _ITSELF):
                self._add(above, _NAMES)
                if not self._add(directory, _ITSELF):  # it may have been made just before its name was watched
                    return
        self._add(self._directories[-1], _NAMES)
        self._add(self._path, _FILE)

    def _add(self, path: str, mask: int) -> bool:
        """Watch what is at `path`; False where nothing is."""
        try:
            watch = self._kernel.add_watch(path, mask)
        except OSError as error:
            if error.errno == errno.EACCES and mask == _ITSELF:
                return True  # a directory that may be passed through and not looked into
            if error.errno in _NOT_THERE:
                return False
            raise
        self._names[watch] = ("", self._below.get(path, ""))
        return True
