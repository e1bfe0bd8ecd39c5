"""say: somebody posts a message on the bus; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from conductor_git.errors import BadInput, UnknownCursor
from conductor_git.message import COORDINATOR_TYPES, Message

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus


class Said(NamedTuple):
    """The id of the new message, and the parents that it names and that are not on the bus."""

    msg_id: str
    unknown_parents: tuple[str, ...]


def require_sayable(kind: str) -> None:
    """Refuse the types that tell what conductor-git did: nobody else posts those."""
    if kind in COORDINATOR_TYPES:
        raise BadInput(
            f"messages of type {kind} are written by conductor-git itself", hint="conductor-git bus post --type FACT"
        )


def say(bus: Bus, message: Message) -> Said:
    """Post `message`; on disk when this returns. A parent that is not there does not keep it from being posted."""
    require_sayable(message.type)
    unknown = tuple(parent.msg_id for parent in message.parents if not _is_there(bus, parent.msg_id))
    return Said(bus.append(message), unknown)


def said_document(message: Message, said: Said) -> dict[str, Any]:
    """The answer of `bus post`."""
    return {
        "msg_id": said.msg_id,
        "attachment_path": message.attachment_path,
        "unknown_parents": list(said.unknown_parents),
    }


def _is_there(bus: Bus, msg_id: str) -> bool:
    try:
        bus.get(msg_id)
    except UnknownCursor:
        return False
    return True
