"""news: which messages a worker should hear of, for `ctx` and for its prompt; imports nothing heavy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Final

from conductor_git.errors import UnknownCursor
from conductor_git.layout import Layout
from conductor_git.message import Message
from conductor_git.names import TaskId

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus

MOST: Final = 20
TYPES: Final = frozenset({"QUESTION", "ISSUE", "USER", "INFO", "DECISION", "FACT"})
"""What people and agents say to each other; the others tell what happened."""
_HELD: Final = 200
_NO_WORDS: Final = frozenset({"collision", "http", "token_made", "token_revoked"})
"""A collision is in the prompt as it is now; what was foretold of it may have been settled since. The others are the
audit of a server, for whoever looks after the project."""


def news(bus: Bus, messages: Iterable[Message], task_id: TaskId, runs: Collection[str]) -> list[Message]:
    """Of `messages`, the last `MOST` that are for the worker of `task_id`, whose attempts are `runs`.

    For it is what is addressed to its task or to nobody by name, and what answers it. Not told are its own words, what
    it has answered itself, and what was found by searching past damage, on which nobody acts.
    """
    found: deque[Message] = deque(maxlen=_HELD)
    answered, own = set[str](), set[str]()
    is_own = _looked_up(bus, own, task_id, runs)
    for message in messages:
        if message.task_id == task_id and message.run_id in runs:
            own.add(message.msg_id)
            answered |= {parent.msg_id for parent in message.parents}
        elif _is_said(message) and (
            message.task_id in (task_id, None) or any(is_own(parent.msg_id) for parent in message.parents)
        ):
            found.append(message)
    return [message for message in found if message.msg_id not in answered][-MOST:]


def own_runs(layout: Layout, task_id: TaskId) -> frozenset[str]:
    """The ids of all attempts of the task, by the folders that they have."""
    try:
        return frozenset(path.name for path in layout.attempts(task_id).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def _is_said(message: Message) -> bool:
    return message.type in TYPES and not message.recovered and message.meta.get("event") not in _NO_WORDS


def _looked_up(bus: Bus, own: set[str], task_id: TaskId, runs: Collection[str]) -> Callable[[str], bool]:
    """Whether a message is one of the worker's own; `own` are those that are known, others are looked for once."""
    others = set[str]()

    def is_own(msg_id: str) -> bool:
        if msg_id not in own and msg_id not in others:
            try:
                message = bus.get(msg_id)
                (own if message.task_id == task_id and message.run_id in runs else others).add(msg_id)
            except UnknownCursor:
                others.add(msg_id)
        return msg_id in own

    return is_own
