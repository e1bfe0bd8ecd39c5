"""What `bus read` prints, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from conductor_git.cli.output import coloured, document, printable
from conductor_git.cli.posting import open_bus
from conductor_git.message import Message, message_document
from conductor_git.names import parse_task_id

_COLOURS: Final = {"ERROR": "31", "RUN_CRASH": "31", "BOUNCED": "33", "REVIEW": "33", "LANDED": "32", "STATE": "36"}


def read(
    *,
    since: str | None = None,
    tail: int | None = None,
    limit: int | None = None,
    kinds: Sequence[str] = (),
    task: str | None = None,
    bus: str | None = None,
    as_json: bool = False,
) -> None:
    """Print messages, oldest first."""
    log, _ = open_bus(bus)
    task_id = parse_task_id(task) if task else None
    types = tuple(kinds)
    found = log.tail(tail, types, task_id) if tail else log.read(since, limit, types, task_id)
    if as_json:
        document(messages=[message_document(message) for message in found])
        return
    for message in found:
        print(rendered(message))


def rendered(message: Message) -> str:
    """A message as one block for a terminal: time, type and task on the first line, further lines indented.

    Nothing of the message is obeyed by a terminal; the colour of its type is ours.
    """
    clock = message.ts[11:19] or "--:--:--"
    kind = coloured(printable(message.type).ljust(9), _COLOURS.get(message.type, "34"), sys.stdout)
    first, *rest = message.body.removeprefix(f"{message.task_id}: ").split("\n")
    if rest and not rest[0]:
        del rest[0]
    head = f"{clock}  {kind}  {printable(message.task_id or '-').ljust(8)}  {printable(first)}".rstrip()
    return "\n".join([head, *(f"          {printable(line)}".rstrip() for line in rest)])
