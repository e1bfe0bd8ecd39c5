"""A disk whose power can be cut: ext4 on a loop image, shut down without its last words and mounted again.

What a cut takes: all data and all names that no flush had brought to the disk. What it leaves, and a real one may not:
what a device was told to write is written, also where nobody told it to empty its cache.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

from tests import kit

PROGRAMS: Final = ("mkfs.ext4", "fsck.ext4", "mount", "umount")
_SHUTDOWN: Final = 0x8004587D
"""EXT4_IOC_SHUTDOWN of the kernel's fs/ext4/ext4.h."""
_NO_LOG_FLUSH: Final = struct.pack("I", 2)
"""EXT4_GOING_FLAGS_NOLOGFLUSH: not even the journal gets what it had not yet been given."""
_OPTIONS: Final = "loop,commit=600,noauto_da_alloc"
"""ext4 flushes by itself every 5 s and when a file is renamed over another: not here, so that nobody relies on it."""
_SIZE: Final = 256 << 20
_BLOCK: Final = "1024"
"""Bytes: small, for many places at which a write can be torn."""
_ENGLISH: Final = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
_PREFIX: Final = "conductor-git-powercut-"


class Disk:
    """The file system on the image `image`; what is to be cut lives below `root`."""

    def __init__(self, image: Path, root: Path) -> None:
        self.image = image
        self.root = root

    def format(self) -> None:
        with self.image.open("wb") as file:
            file.truncate(_SIZE)
        _run("mkfs.ext4", "-q", "-F", "-b", _BLOCK, "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)

    def mount(self) -> None:
        _run("mount", "-t", "ext4", "-o", _OPTIONS, self.image, self.root)

    def unmount(self) -> None:
        """Waits for what still has a file open there: a killed process closes its files a little after its end."""
        kit.until(self._is_unmounted)

    def cut(self) -> None:
        """Cut the power, now: every later write to the disk fails, and what was not flushed will be gone."""
        fd = _open_directory(self.root)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, _NO_LOG_FLUSH)
        finally:
            os.close(fd)

    def restore(self) -> None:
        """Bring the power back: the journal is replayed, the file system found without fault, and mounted again.

        Whoever had a file open on the disk must have ended.
        """
        self.unmount()
        self.mount()
        self.unmount()
        _run("fsck.ext4", "-f", "-n", self.image)
        self.mount()

    def discard(self) -> None:
        """Let go of the disk, also while somebody uses it: nothing of it is wanted any more."""
        if not os.path.ismount(self.root):
            return
        with suppress(OSError):
            self.cut()
        _run("umount", "--lazy", self.root)

    def _is_unmounted(self) -> bool:
        done = subprocess.run(["umount", self.root], capture_output=True, text=True, check=False, env=_ENGLISH)
        assert done.returncode == 0 or "busy" in done.stderr, done.stderr
        return done.returncode == 0


@contextmanager
def powered_disk() -> Iterator[Disk]:
    """An empty disk, mounted. Nothing of it is left at the end, or where this process died, once the next is made."""
    _clear_away()
    place, owner = _place()
    try:
        disk = _disk_in(place)
        disk.root.mkdir()
        disk.format()
        disk.mount()
        yield disk
    finally:
        _remove(place)
        os.close(owner)


@cache
def cannot_cut() -> str:
    """Why no power can be cut here; empty where it can, which was tried."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return "a power cut takes root on Linux"
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"not installed: {', '.join(missing)}"
    try:
        with powered_disk() as disk:
            disk.cut()
            return "" if _refuses_writes(disk) else "the kernel knows EXT4_IOC_SHUTDOWN and goes on writing"
    except OSError as error:
        return f"the kernel does not shut an ext4 down: {error.strerror}"
    except subprocess.CalledProcessError as failed:
        return f"{failed.cmd[0]}: {failed.stderr.strip()}"


def _refuses_writes(disk: Disk) -> bool:
    try:
        (disk.root / "late").touch()
    except OSError as error:
        return error.errno == errno.EIO
    return False


def _disk_in(place: Path) -> Disk:
    return Disk(place / "image", place / "disk")


def _place() -> tuple[Path, int]:
    """A new directory, and the descriptor whose lock says that it is ours."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            owner = _open_directory(place)
            fcntl.flock(owner, fcntl.LOCK_EX)
            if place.is_dir():
                return place, owner
            os.close(owner)  # cleared away by a neighbour, who had the lock before us


def _clear_away() -> None:
    """Remove the disks of processes that died: nobody holds their lock."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            owner = _open_directory(place)
            try:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(owner).st_uid == os.geteuid():
                    _remove(place)
            finally:
                os.close(owner)


def _open_directory(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _remove(place: Path) -> None:
    _disk_in(place).discard()
    shutil.rmtree(place)


def _run(*command: str | Path) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True, env=_ENGLISH)
