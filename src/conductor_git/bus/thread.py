"""The conversation that a message belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from conductor_git.errors import UnknownCursor
from conductor_git.message import Message, id_key, id_time

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus


def thread(bus: Bus, msg_id: str) -> list[Message]:
    """The ancestors of `msg_id` and everything that descends from them, in the order of the bus.

    `UnknownCursor` for an id that is not there; parents that are not there are passed over. A bus whose ids rise and
    whose parents come before their children is read once. On any other, which other tools wrote to or which was copied
    from such a one, the ids of all messages with parents are gathered first, and it is read twice more. Kept are those
    ids and the messages of the conversation.
    """
    ancestors = _ancestors(bus, bus.get(msg_id))
    found = None if ancestors is None else _in_order(bus.read(), ancestors)
    return _in_any_order(bus, msg_id) if found is None else found


def depths(messages: Sequence[Message]) -> Mapping[str, int]:
    """How deep each message stands below the first message of its branch: one more than the first of its parents
    that is among `messages`, 0 without one. Where parents go round in a circle, one of them stands at 0."""
    ids = {message.msg_id for message in messages}
    above = {
        message.msg_id: next((parent.msg_id for parent in message.parents if parent.msg_id in ids), None)
        for message in messages
    }
    found: dict[str, int] = {}
    for msg_id in above:
        way: dict[str, None] = {}
        at: str | None = msg_id
        while at is not None and at not in found and at not in way:
            way[at] = None
            at = above[at]
        depth = found.get(at or "", -1)
        for number, below in enumerate(reversed(way), start=1):
            found[below] = depth + number
    return found


def _ancestors(bus: Bus, start: Message) -> set[str] | None:
    """The ids of `start` and of all that it descends from, as far as they are on the bus.

    None where an id of another tool is among them: such a one may lie anywhere, and looking for each of them reads the
    whole bus each time.
    """
    known, looked_for, left = {start.msg_id}, {start.msg_id}, [start]
    while left:
        for parent in left.pop().parents:
            if id_time(parent.msg_id) is None:
                return None
            if parent.msg_id not in looked_for:
                looked_for.add(parent.msg_id)
                try:
                    left.append(bus.get(parent.msg_id))
                except UnknownCursor:
                    continue
                known.add(parent.msg_id)
    return known


def _in_order(messages: Iterable[Message], members: set[str]) -> list[Message] | None:
    """The messages of the conversation by one reading; None once the order is one in which that could miss some."""
    found, last = [], ""
    for message in messages:
        if _is_early(message, last):
            return None
        if id_time(message.msg_id) is not None:
            last = id_key(message.msg_id)
        if message.msg_id in members or any(parent.msg_id in members for parent in message.parents):
            members.add(message.msg_id)
            found.append(message)
    return found


def _is_early(message: Message, last: str) -> bool:
    """Whether `message` is not in its place after the id `last`, or may have a parent that is still to come."""
    is_ours = id_time(message.msg_id) is not None
    if is_ours and id_key(message.msg_id) <= last:
        return True
    return any(id_time(parent.msg_id) is None or id_key(parent.msg_id) > last for parent in message.parents)


def _in_any_order(bus: Bus, msg_id: str) -> list[Message]:
    above: defaultdict[str, list[str]] = defaultdict(list)
    below: defaultdict[str, list[str]] = defaultdict(list)
    for message in bus.read():
        for parent in message.parents:
            above[message.msg_id].append(parent.msg_id)
            below[parent.msg_id].append(message.msg_id)
    named = _reached({msg_id}, above)
    members = _reached({message.msg_id for message in bus.read() if message.msg_id in named}, below)
    return [message for message in bus.read() if message.msg_id in members]


def _reached(start: set[str], edges: Mapping[str, list[str]]) -> set[str]:
    reached, left = set(start), list(start)
    while left:
        for further in edges.get(left.pop(), ()):
            if further not in reached:
                reached.add(further)
                left.append(further)
    return reached
