"""The words of a message: its text, one line of it, and its time by the clock of whoever reads; imports little."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from conductor_git.cli.output import printable
from conductor_git.message import Message

_CLOCK: Final = "--:--:--"


class Local(NamedTuple):
    """When a message was posted, by the clock of whoever reads it."""

    day: str
    clock: str
    name: str
    """The day in words."""


def brief(message: Message) -> str:
    """A message within another text: time, type, task and what it says, further lines hanging below."""
    first, *rest = body_of(message)
    head = f"{local(message.ts).clock}  {word(message.type):9}  {word(message.task_id or '-'):8}  {first}"
    return "\n".join([head.rstrip(), *(f"          {line}".rstrip() for line in rest)])


def body_of(message: Message) -> list[str]:
    """The lines of the text, without the task at its beginning and the empty line below the first."""
    first, *rest = printable(message.body).removeprefix(f"{message.task_id}: ").rstrip("\n").split("\n")
    return [first, *(rest[1:] if rest and not rest[0] else rest)]


def word(text: str) -> str:
    """`text` on one line, whatever another tool wrote there."""
    return printable(text).replace("\n", " ").replace("\t", " ")


@lru_cache(maxsize=256)
def local(ts: str) -> Local:
    from datetime import UTC, datetime

    try:
        at = datetime.fromisoformat(ts[:19] + ts[19:].lstrip(".0123456789"))
        at = (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone()
        return Local(f"{at:%Y-%m-%d}", f"{at:%H:%M:%S}", f"{at:%A} {at.day} {at:%B %Y}")
    except (ValueError, OverflowError, OSError):
        return Local("----------", _CLOCK, "")
