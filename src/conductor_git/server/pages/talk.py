"""What is said on the bus of a task, as conversations (no I/O)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conductor_git.bus.thread import depths
from conductor_git.message import Message, id_time, timestamp
from conductor_git.names import readable

_QUIET = frozenset({"RUN_START", "RUN_STOP", "STATE", "PROGRESS"})
"""What happened, in contrast to what somebody said."""


@dataclass(frozen=True, slots=True)
class Word:
    """One message; `depth` says below how many others it stands, and is bounded for the sake of phones."""

    message: Message
    depth: int
    body: str
    who: str

    @property
    def is_quiet(self) -> bool:
        return self.message.type in _QUIET

    @property
    def answers(self) -> str:
        """Which message it answers first: of when that is; empty where it answers none."""
        if not self.message.parents:
            return ""
        at = id_time(self.message.parents[0].msg_id)
        return "an earlier one" if at is None else timestamp(at)[11:19]

    @property
    def clock(self) -> str:
        return self.message.ts[:19].replace("T", " ")


def word(message: Message, depth: int = 0) -> Word:
    body = readable(message.body).removeprefix(f"{message.task_id}: ")
    who = message.meta.get("by") or message.meta.get("reviewer") or ""
    return Word(message, min(depth, 4), body, who)


def conversations(messages: Sequence[Message]) -> tuple[Word, ...]:
    """The messages so that each answer stands below what it answers, and otherwise in their order."""
    deep = depths(messages)
    below: dict[str | None, list[Message]] = {}
    ids = {message.msg_id for message in messages}
    for message in messages:
        parent = next((parent.msg_id for parent in message.parents if parent.msg_id in ids), None)
        below.setdefault(parent if deep[message.msg_id] else None, []).append(message)
    return tuple(word(message, deep[message.msg_id]) for message in _in_order(below))


def _in_order(below: dict[str | None, list[Message]]) -> Iterator[Message]:
    todo = list(reversed(below.get(None, [])))
    while todo:
        message = todo.pop()
        yield message
        todo += reversed(below.get(message.msg_id, []))
