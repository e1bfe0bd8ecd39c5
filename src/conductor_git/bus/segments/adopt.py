"""Taking messages over from another bus into files."""

from __future__ import annotations

from conductor_git.bus.adoption import Coming, Piece, in_order
from conductor_git.bus.segments.append import Appender


def store(appender: Appender, coming: list[Coming]) -> Piece:
    """Write those of `coming` that are in order as one piece, and flush it."""
    taken = Piece(coming)

    def make(last_id: str) -> bytes:
        nonlocal taken
        taken = in_order(coming, last_id)
        return b"".join(one.frame for one in taken.coming)

    appender.store(make, though_moved=True)
    return taken
