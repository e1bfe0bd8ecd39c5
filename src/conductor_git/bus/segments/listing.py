"""The files of a bus: the one that is written to, and the closed segments before it, named for their first message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.errors import BusDamaged, UnsafePath
from conductor_git.message import id_time

SEGMENT_BYTES: Final = 64 << 20
"""Over this a file is closed and a new one begun, where nothing else was said."""


class Segment(NamedTuple):
    """A closed segment: nobody writes to it any more. `first_id` orders it among the others."""

    path: Path
    first_id: str


class Files(NamedTuple):
    """The files of a bus at one moment: closed segments oldest first, and a descriptor of the one written to."""

    closed: list[Segment]
    current: int | None


def segment_path(bus: Path, first_id: str) -> Path:
    return bus.with_name(f"{bus.stem}.{first_id}{bus.suffix}")


def closed_segments(bus: Path) -> list[Segment]:
    """The closed segments of the bus, oldest first; none where its directory is not there yet."""
    return segments_in(bus.parent, bus)


def segments_in(folder: Path, bus: Path, packed: str = "") -> list[Segment]:
    """The segments of the bus whose names, without `packed` at their end, are in `folder`, oldest first."""
    start, end = f"{bus.stem}.", f"{bus.suffix}{packed}"
    try:
        names = [name for name in os.listdir(folder) if name.endswith(end)]
    except FileNotFoundError:
        return []
    ids = sorted(name[len(start) : len(name) - len(end)] for name in names if name.startswith(start + "MSG-"))
    return [Segment(segment_path(bus, id_), id_) for id_ in ids if id_time(id_) is not None]


@contextmanager
def files(bus: Path) -> Iterator[Files]:
    """The files of the bus as they were together at one moment, however often writers rotate meanwhile."""
    known = _together(bus)
    try:
        yield known
    finally:
        if known.current is not None:
            os.close(known.current)


def _together(bus: Path) -> Files:
    while True:
        current = open_segment(bus)
        closed = closed_segments(bus)
        # A file that was renamed away never comes back: if it is still there now, it was when the others were listed.
        if inode_at(bus) == inode_of(current):
            return Files(closed, current)
        if current is not None:
            os.close(current)


def open_segment(path: Path) -> int | None:
    """A descriptor to read the file; None where there is none. `BusDamaged` for what is no regular file."""
    try:
        return durable.open_regular(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except UnsafePath as other:
        raise not_a_file(path) from other
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> BusDamaged:
    """What is raised where a disk gives an error in place of bytes."""
    return BusDamaged(
        f"{path} could not be read: {error.strerror or error}", hint=f"ls -ld {quote(str(path))}", path=str(path)
    )


def inode_of(fd: int | None) -> int | None:
    return None if fd is None else os.fstat(fd).st_ino


def inode_at(path: Path | str) -> int | None:
    """The inode of what is at `path` now; None where nothing is."""
    try:
        return os.lstat(path).st_ino
    except (FileNotFoundError, NotADirectoryError):
        return None


def not_a_file(path: Path) -> BusDamaged:
    return BusDamaged(
        f"{path} is not a regular file, so no message is read from it or written to it",
        hint=f"ls -ld {quote(str(path))}",
        path=str(path),
    )
