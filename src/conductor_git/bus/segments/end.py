"""How the bus file ends, which a writer must know: the id to go on from, and whether a torn tail is to be cut off."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from conductor_git.frames.frame import last_id
from conductor_git.message import Message, id_key

_NEAR: Final = 4096


class End(NamedTuple):
    """How a file ends: the last id that orders it, and where an incomplete frame begins, if one does.

    `parted` says that the empty line that parts two messages is there.
    """

    last_id: str
    torn: int | None
    parted: bool


def end(fd: int, size: int) -> End:
    """How the file ends, from as short an end of it as tells."""
    last = last_id(os.pread(fd, _NEAR, max(size - _NEAR, 0)))
    if last is not None:
        return End(last, None, parted=True)
    return _looked_for(fd, size)


def _looked_for(fd: int, size: int) -> End:
    """The same from ever longer ends of the file; the decoder is imported only where the short look does not do."""
    from conductor_git.bus.segments.scan import starts

    known = End("", None, parted=False)
    for start in starts(fd, size):
        known = _end_from(fd, start, size)
        if known.last_id:
            break
    return known


def _end_from(fd: int, start: int, size: int) -> End:
    from conductor_git.bus.segments.ending import Ending
    from conductor_git.bus.segments.scan import Place, windows

    newest, ending = "", Ending(fd)
    for where, found in windows(fd, Place(start)):
        ending.add(where, found)
        ids = [item.msg_id for item in found.items if isinstance(item, Message) and item.msg_id.startswith("MSG-")]
        newest = max([newest, *ids], key=id_key)
    torn = ending.torn()
    return End(newest, torn, _parted(fd, size if torn is None else torn))


def _parted(fd: int, size: int) -> bool:
    return size == 0 or os.pread(fd, 2, max(size - 2, 0)) == b"\n\n"
