"""Closed segments that `gc` put into the archive beside the bus: a reader whose place is there reads on from them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from conductor_git.bus.segments.listing import Segment, closed_segments, open_segment, segments_in
from conductor_git.errors import BusDamaged
from conductor_git.frames.decoder import WINDOW
from conductor_git.layout import archive_beside


def archived_path(segment: Path) -> Path:
    """Where the segment that lies, or lay, at `segment` is in the archive."""
    return archive_beside(segment) / f"{segment.name}.gz"


def with_archived(bus: Path, closed: Sequence[Segment]) -> list[Segment]:
    """`closed`, which was listed before this call, and the segments of the archive, oldest first.

    One is archived before it is removed, so none is missed that was there when `closed` was listed, or went since.
    """
    return sorted({*segments_in(archive_beside(bus), bus, packed=".gz"), *closed}, key=lambda one: one.first_id)


def open_closed(segment: Segment) -> int | None:
    """A descriptor to read the segment, unpacked where it is in the archive by now; None where it is nowhere."""
    fd = open_segment(segment.path)
    return _unpacked(archived_path(segment.path)) if fd is None else fd


def bytes_of_all(bus: Path, older_than: Segment | None = None) -> int:
    """The bytes of the closed segments, those of the archive too, or of those that are older than one of them.

    So the id of a message without one, which is its place on the bus, stays what it is when segments are archived.
    """
    known = with_archived(bus, closed_segments(bus))
    return _bytes_of(one for one in known if older_than is None or one.first_id < older_than.first_id)


def _bytes_of(segments: Iterable[Segment]) -> int:
    return sum(_size(segment.path) for segment in segments)


def _size(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:
        return _size_unpacked(archived_path(segment))


def _size_unpacked(archived: Path) -> int:
    """As the last four bytes of a gzip file say; 0 where it was dropped."""
    fd = open_segment(archived)
    if fd is None:
        return 0
    try:
        return int.from_bytes(os.pread(fd, 4, max(os.fstat(fd).st_size - 4, 0)), "little")
    finally:
        os.close(fd)


def _unpacked(archived: Path) -> int | None:
    """A descriptor of a file without a name, so that nothing of it is left behind; memory stays flat."""
    fd = open_segment(archived)
    if fd is None:
        return None
    # Imported here: hardly any reader comes this far.
    import gzip
    import shutil
    import zlib
    from tempfile import TemporaryFile

    try:
        with os.fdopen(fd, "rb") as file, gzip.GzipFile(fileobj=file) as packed, TemporaryFile() as plain:
            shutil.copyfileobj(packed, plain, WINDOW)
            plain.flush()
            return os.dup(plain.fileno())
    except (OSError, EOFError, zlib.error) as error:
        raise BusDamaged(
            f"{archived} could not be unpacked: {error}", hint=f"gzip -t {archived}", path=str(archived)
        ) from error
