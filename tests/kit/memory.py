"""Where a file system in memory is: tests flush thousands of times, and none claims what a disk does with that."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_PLACE: Final = Path("/dev/shm")
_ROOM: Final = 4 << 30
_NO_PROGRAMS: Final = 8
"""ST_NOEXEC, which Python does not name everywhere. Containers have such a one; tests write programs and run them."""


def memory_with_room(place: Path = _PLACE) -> Path | None:
    """The place, if 4 GiB are free there and programs run there; else None."""
    try:
        found = os.statvfs(place)
    except OSError:
        return None
    has_room = found.f_bavail * found.f_frsize >= _ROOM
    return place if has_room and not found.f_flag & _NO_PROGRAMS and os.access(place, os.W_OK | os.X_OK) else None
