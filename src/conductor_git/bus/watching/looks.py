"""Waiting for a file to change where nobody tells of it: a look at its status 20 times a second."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from conductor_git.bus.watching.stop import Stop

PAUSE: Final = 0.05
MOUNTS: Final = Path("/proc/self/mountinfo")

_DISTANT: Final = frozenset(
    "9p afs beegfs ceph cifs fakeowner fuse gfs2 gpfs lustre nfs nfs4 ocfs2 prl_fs smb3 smbfs vboxsf virtiofs".split()
)
"""File systems to which others write behind the kernel's back."""
_LONGEST: Final = 2**31 - 1


class Looks:
    """Finds a change of the file `path`, other than one that leaves its inode, size and time of change as they were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._look()

    def arm(self) -> None:
        self._seen = self._look()

    def wait(self, stop: Stop | None) -> None:
        while self._look() == self._seen and not (stop and stop.is_set):
            sleep(stop, seconds=PAUSE)

    def close(self) -> None:
        """There is nothing to give back."""

    def _look(self) -> tuple[int, ...]:
        try:
            found = os.lstat(self._path)
        except OSError:
            return ()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def sleep(stop: Stop | None, fd: int | None = None, seconds: float | None = None) -> None:
    """Sleep in one system call until `fd` can be read, `stop`, or for `seconds`."""
    waiting = select.poll()
    for source in (stop, fd):
        if source is not None:
            waiting.register(source, select.POLLIN)
    left = None if stop is None else stop.left()
    times = [time for time in (seconds, left) if time is not None]
    waiting.poll(min(min(times) * 1000, _LONGEST) if times else None)


def distant(path: Path) -> str:
    """The kind of the file system that `path` is on, or will be, if other machines write to it; empty otherwise."""
    device = _device(path)
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = [line.split() for line in MOUNTS.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return ""
    kinds = (mount[mount.index("-") + 1] for mount in mounts if mount[2] == wanted)
    return next((kind for kind in kinds if kind in _DISTANT or kind.startswith("fuse.")), "")


def _device(path: Path) -> int:
    """Of `path`, or of the last directory above it that is there: a log of SQLite's comes and goes at any moment."""
    for place in path, *path.parents:
        try:
            return os.lstat(place).st_dev
        except OSError:
            continue
    return 0
