"""A message of the bus as the event that streams send; and what a client asked to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from conductor_git.errors import ConductorError
from conductor_git.layout import Layout
from conductor_git.message import COORDINATOR_TYPES, Message, message_document
from conductor_git.names import parse_task_id
from conductor_git.server.streams.sse import event
from conductor_git.workflow.looking.glance import glance

BEGINNING: Final = "-"
"""The cursor before the first message; no message has such an id."""
_GLANCED: Final = ("state", "revision", "generation")


class Entry(NamedTuple):
    """What is kept of a message for all clients: its event, made once."""

    msg_id: str
    """Empty for a recovered message: nothing acts on it, and nobody resumes from it."""
    type: str
    task_id: str | None
    frame: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asked to see: nothing named means all."""

    types: frozenset[str] = frozenset()
    task_id: str | None = None

    def takes(self, found: Message | Entry) -> bool:
        return (not self.types or found.type in self.types) and self.task_id in (None, found.task_id)


def entry_of(layout: Layout, message: Message) -> Entry:
    """The event of `message`. One of the coordinator about a task is a `task` event, with how the task stands now.

    One message is one event, so that no client can lose half of what it resumes from.
    """
    msg_id = "" if message.recovered else message.msg_id
    document: dict[str, Any] = {"message": message_document(message)}
    is_change = message.type in COORDINATOR_TYPES and message.task_id is not None and not message.recovered
    if is_change:
        document["task"] = _standing(layout, message.task_id or "")
    frame = event("task" if is_change else "message", document, msg_id)
    return Entry(msg_id, message.type, message.task_id, frame)


def _standing(layout: Layout, task_id: str) -> dict[str, Any] | None:
    """State and revision as the record has them now; None where there is none, or none that can be read."""
    try:
        known = parse_task_id(task_id)
        return {"task_id": known, **{key: _typed(glance(layout, known, key)) for key in _GLANCED}}
    except (ConductorError, OSError):
        return None


def _typed(value: str) -> str | int | None:
    return int(value) if value.isdecimal() else value or None
