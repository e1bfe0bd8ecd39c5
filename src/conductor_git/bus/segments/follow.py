"""Following a bus: every message once, in order, as soon as it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from conductor_git.bus.halt import Halt
from conductor_git.bus.segments.read import OPENED, Found, go_to, past
from conductor_git.bus.segments.walk import Walk
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import Tell, cut_by_hand, unheard
from conductor_git.bus.watching.watch import Watch
from conductor_git.message import Message, id_key, id_time


def follow(
    bus: Path, halt: Halt, since: str | None, wanted: Callable[[Message], bool], stop: Stop | None, tell: Tell | None
) -> Found:
    """The messages after `since`, then each new one, until `stop`; `BusMoved` at the end of a bus that has moved."""
    with Walk(bus, follows=True) as walk:
        skipped = go_to(walk, since)
        yield OPENED
        follower = _Follower(bus, halt, walk, since or "")
        with closing(follower.messages(stop, tell or unheard)) as found:
            yield from filter(wanted, past(found, skipped))


class _Follower:
    def __init__(self, bus: Path, halt: Halt, walk: Walk, seen: str) -> None:
        self._bus, self._halt, self._walk = bus, halt, walk
        self._seen = seen
        """The last id that went by, below which nothing is new after somebody changed the file by hand."""
        self._again = False

    def messages(self, stop: Stop | None, tell: Tell) -> Found:
        with Watch(self._bus, tell) as watch:
            while stop is None or not stop.is_set:
                watch.arm()
                moved = self._halt.moved_to
                for message in self._unseen(self._walk.to_the_end()):
                    yield message
                    if stop is not None and stop.is_set:
                        return
                if moved is not None:
                    self._halt.require_none()
                if not self._restarted(tell):
                    watch.wait(stop)

    def _unseen(self, found: Iterator[Message]) -> Iterator[Message]:
        for message in found:
            if self._again and id_time(message.msg_id) is not None and id_key(message.msg_id) <= id_key(self._seen):
                continue
            if message.msg_id.startswith("MSG-"):
                self._seen = message.msg_id
            yield message

    def _restarted(self, tell: Tell) -> bool:
        if not self._walk.restart():
            return False
        self._again = True
        tell(cut_by_hand(self._bus, self._seen))
        return True
