"""A bus carried over to another place or backend, ids and all (design: formats.md, "The bus")."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final, NamedTuple

from conductor_git.bus.address import parse_address
from conductor_git.bus.attachments.stored import carry, is_stored
from conductor_git.errors import BadInput, BusDamaged, BusMoved, ConductorError, NotFound, UnknownCursor
from conductor_git.message import Message, id_time

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus, Report

_FEW: Final = 1000
"""With no more than these to take, writers are kept out for the rest of a move."""
_ROUNDS: Final = 20
"""After these they are kept out however many there are: they write faster than we read."""


class Copied(NamedTuple):
    """What a copy or a move came to."""

    messages: int
    """Those that the target now holds of the source; of a move that had been done already, all of the source."""
    added: int
    """Those of them that this call stored."""
    readers: int
    """Whose cursors the target has now."""
    readers_left: tuple[str, ...]
    """Whose cursors name no message of the source, so that they begin anew."""
    attachments_left: int
    """Messages whose attachment is not what it was, or not there; they came along without it."""
    damaged: int
    """Damaged places of the source, which hold no message that could be copied."""
    recovered: int
    """Messages found past damage; they are marked on the target too."""
    halted: str | None
    """Why the source took no more messages before this began: then its last ones may never have been acknowledged."""


class _Place(NamedTuple):
    """So many messages are the same on both, up to this one."""

    number: int = 0
    msg_id: str = ""


def copy(source: Bus, target: Bus, *, move: bool) -> Copied:
    """Store on `target` every message of `source` that it does not have yet, and compare the two, ids and contents.

    What a call that was interrupted left is gone on from. A target with any other message is refused before anything
    is written (`BadInput`). Memory stays flat. Cursors of readers come along, and attachments to another directory.

    With `move`, writers are kept out for the last messages and sent to the target once all is there and compared; a
    call that is killed leaves the source in force, or the target with every message. To move what has moved to the
    same target is no error. A source that a failed flush has halted can be copied, not moved (`BusDamaged`).
    """
    _require_another_place(source, target)
    before = source.verify()
    copying = _Copying(source, target)
    if move:
        _require_open(source, target)
    copying.start(is_moved_ok=move)
    if move:
        copying.move()
    else:
        copying.take()
    return copying.copied(before)


class _Copying:
    def __init__(self, source: Bus, target: Bus) -> None:
        self._source, self._target = source, target
        self._place = _Place()
        self._is_longer = False
        self._given = 0
        """Messages that were given to the target, whatever it did with them."""
        self._readers: dict[str, str] = {}
        self._readers_left: set[str] = set()
        self._attachments_left = 0
        self._directories = _directory(source), _directory(target)

    def start(self, *, is_moved_ok: bool) -> None:
        """Find how much the target has already, or refuse it for what else it has."""
        self._is_longer = self._compare(self._other_messages)
        if self._is_longer and not is_moved_ok:
            raise self._other_messages(self._place)

    def take(self) -> int:
        """Store what is left of the source as it is now, and compare it; how many."""
        # Before the messages: what a reader acknowledged by now is among them.
        cursors = self._source.readers()
        given, place = self._given, self._place
        self._target.adopt(self._giving(_after(self._source, place)))
        is_longer, taken = self._compare(self._mismatch), self._given - given
        if is_longer or self._place.number - place.number != taken:
            raise self._mismatch(self._place)
        self._take_cursors(cursors)
        return taken

    def move(self) -> None:
        for _ in range(_ROUNDS):
            if self._is_longer or self.take() <= _FEW:
                break
        try:
            self._source.hand_over(self._target.url, self._rest)
        except BusMoved as moved:
            if moved.facts["url"] != self._target.url:
                raise
        # Readers that acknowledged meanwhile; one that does so later still reads a message again, as after a crash.
        self._take_cursors(self._source.readers())

    def copied(self, before: Report) -> Copied:
        return Copied(
            messages=self._place.number,
            added=self._given,
            readers=len(self._readers),
            readers_left=tuple(sorted(self._readers_left - self._readers.keys())),
            attachments_left=self._attachments_left,
            damaged=before.damaged,
            recovered=before.recovered,
            halted=before.halted,
        )

    def _rest(self) -> None:
        """What is left, with the writers of the source kept out: after this the target has all there is."""
        if self._is_longer:
            raise self._other_messages(self._place)
        self.take()
        if next(_after(self._source, self._place), None) is not None:
            raise self._mismatch(self._place)
        if self._target.halt.moved_to == self._source.url:
            # It had moved to where it now comes back from, and not before this does it take anything of its own.
            self._target.halt.lift()

    def _compare(self, error: Callable[[_Place], ConductorError]) -> bool:
        """Compare what the target has after the place, and move the place on; whether it has more than the source."""
        ours = _after(self._source, self._place)
        for message in _after(self._target, self._place):
            expected = next(ours, None)
            if expected is None:
                return True
            if message != expected:
                raise error(self._place)
            self._place = _Place(self._place.number + 1, message.msg_id)
        return False

    def _giving(self, messages: Iterable[Message]) -> Iterator[Message]:
        here, there = self._directories
        for message in messages:
            if here != there and is_stored(message):
                try:
                    carry(message, here, there)
                except (BusDamaged, NotFound):
                    self._attachments_left += 1
            self._given += 1
            yield message

    def _take_cursors(self, cursors: Mapping[str, str]) -> None:
        for reader, cursor in cursors.items():
            try:
                self._readers[reader] = self._target.acknowledge(reader, cursor)
            except UnknownCursor:
                self._readers_left.add(reader)

    def _other_messages(self, place: _Place) -> BadInput:
        return BadInput(
            f"{self._target.url} holds other messages than {self._source.url} {_since(place)}, so nothing was written",
            hint=f"conductor-git bus read --bus {quote(self._target.url)}",
            url=self._target.url,
            msg_id=place.msg_id,
        )

    def _mismatch(self, place: _Place) -> BusDamaged:
        return BusDamaged(
            f"{self._target.url} does not give back what was copied to it {_since(place)}; {self._source.url} is whole",
            hint=f"conductor-git bus verify --bus {quote(self._target.url)}",
            url=self._target.url,
            msg_id=place.msg_id,
        )


def _since(place: _Place) -> str:
    return f"after {place.msg_id}" if place.number else "from the first one on"


def _after(bus: Bus, place: _Place) -> Iterator[Message]:
    # Ids of other tools can repeat, so they are no cursors to rely on.
    if id_time(place.msg_id) is None:
        return islice(bus.read(), place.number, None)
    return bus.read(since=place.msg_id)


def _directory(bus: Bus) -> Path:
    return Path(os.path.realpath(parse_address(bus.url).path.parent))


def _require_another_place(source: Bus, target: Bus) -> None:
    paths = [os.path.realpath(parse_address(bus.url).path) for bus in (source, target)]
    if paths[0] == paths[1]:
        raise BadInput(
            f"{target.url} is the bus itself, and cannot be copied there", hint="conductor-git bus copy --help"
        )


def _require_open(source: Bus, target: Bus) -> None:
    """Refuse a move that could not be finished before anything is written; `hand_over` looks again under the lock."""
    if source.halt.moved_to != target.url:
        source.halt.require_none()
    if target.halt.moved_to == source.url:
        return
    if why := target.halt.reason:
        raise BadInput(
            f"{target.url} takes no messages ({why}), so no bus is moved there",
            hint=f"conductor-git bus verify --bus {quote(target.url)}",
            url=target.url,
        )
