"""Reading a bus file and its closed segments, without any lock."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import dropwhile, islice
from pathlib import Path
from typing import Final

from conductor_git.bus.segments.walk import Walk
from conductor_git.message import Message

OPENED: Final = Message("OPENED", "")
"""What a generator here gives first, to us and not to its user: the file is open, and the cursor was found."""

Found = Generator[Message, None, None]


def opened(found: Found) -> Found:
    """`found` once it is past its opening, so that an unknown cursor is refused before the first message is asked."""
    next(found)
    return found


def read(bus: Path, since: str | None, limit: int | None, wanted: Callable[[Message], bool]) -> Found:
    """The messages after `since`, file after file, to the end that the bus has when it is opened or later."""
    with Walk(bus) as walk:
        skipped = go_to(walk, since)
        yield OPENED
        found = filter(wanted, past(walk.to_the_end(), skipped))
        yield from found if limit is None else islice(found, limit)


def get(bus: Path, msg_id: str) -> Message:
    with Walk(bus) as walk:
        return walk.find(msg_id).message


def go_to(walk: Walk, since: str | None) -> str | None:
    """Set out from `since` (None: from the beginning); the message up to which all is to be passed over, if any."""
    if since is None:
        walk.start()
        return None
    return since if walk.find(since).is_before else None


def past(found: Iterator[Message], cursor: str | None) -> Iterator[Message]:
    """`found` itself, or what comes after the message `cursor` in it."""
    return found if cursor is None else islice(dropwhile(lambda message: message.msg_id != cursor, found), 1, None)
