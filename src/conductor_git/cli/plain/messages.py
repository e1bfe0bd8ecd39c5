"""What `bus read`, `follow` and `ack` do, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from conductor_git.bus.address import parse_address
from conductor_git.cli import sigterm
from conductor_git.cli.output import document, narrate, say
from conductor_git.cli.plain.posting import open_bus
from conductor_git.cli.rendering import renderer
from conductor_git.errors import BadInput, UnknownCursor
from conductor_git.message import Message, message_document
from conductor_git.names import TaskId, parse_task_id

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus


def read(  # noqa: PLR0913 - one parameter an option
    *,
    since: str | None = None,
    tail: int | None = None,
    limit: int | None = None,
    kinds: Sequence[str] = (),
    task: str | None = None,
    thread: str | None = None,
    reader: str | None = None,
    ack: bool = False,
    bus: str | None = None,
    as_json: bool = False,
) -> None:
    """Print messages, oldest first."""
    _require_alone("--thread", thread, {"--type": kinds, "--task": task, "--limit": limit})
    _require_alone("--thread", thread, {"--tail": tail, "--since": since, "--as": reader})
    _require_alone("--tail", tail, {"--limit": limit, "--since": since, "--as": reader})
    _require_reader(since, reader, ack)
    log, task_id = open_bus(bus).bus, _task(task)
    if thread is not None:
        from conductor_git.bus.thread import thread as conversation

        _print_conversation(log, conversation(log, thread), as_json)
        return
    if tail is not None:
        found: Iterable[Message] = log.tail(tail, tuple(kinds), task_id)
    else:
        found = log.read(_start(log, since, reader), limit, tuple(kinds), task_id)
    last = _print(log, found, as_json)
    if last is None:
        _tell_missing(log)
    if ack and reader is not None and last is not None:
        sys.stdout.flush()  # where nobody reads the answer any more, nothing was dealt with
        log.acknowledge(reader, last.msg_id)


def follow(
    *,
    since: str | None = None,
    kinds: Sequence[str] = (),
    task: str | None = None,
    reader: str | None = None,
    ack: bool = False,
    bus: str | None = None,
    as_json: bool = False,
) -> None:
    """Print new messages as they come, until ^C; with `as_json` one document a line."""
    sigterm.obey()
    _require_reader(since, reader, ack)
    log, task_id = open_bus(bus).bus, _task(task)
    start = _start(log, since, reader) if since or reader else _end(log)
    if start is None:
        _tell_missing(log)
    render = renderer(sys.stdout, lambda msg_id: _found(log, msg_id))
    for message in log.follow(start, tuple(kinds), task_id, tell=_told):
        if as_json:
            document(message=message_document(message))
        else:
            print(render(message, ()))
        sys.stdout.flush()
        if ack and reader is not None:
            log.acknowledge(reader, message.msg_id)


def acknowledge(*, message: str, reader: str | None = None, bus: str | None = None, as_json: bool = False) -> None:
    """Remember that a reader has dealt with everything up to `message`, and print its cursor."""
    if reader is None:
        raise BadInput("whose cursor? --as says who has read", hint=f"conductor-git bus ack {message} --as NAME")
    cursor = open_bus(bus).bus.acknowledge(reader, message)
    if as_json:
        document(reader=reader, cursor=cursor)
    else:
        say(cursor)


def threaded(messages: Sequence[Message]) -> Iterator[tuple[Message, tuple[str, ...]]]:
    """A conversation with every reply below what it answers, and the ids that each message hangs below."""
    below: dict[str, list[Message]] = {}
    known = set[str]()
    for message in messages:
        above = next((parent.msg_id for parent in message.parents if parent.msg_id in known), "")
        below.setdefault(above, []).append(message)
        known.add(message.msg_id)
    todo: list[tuple[Message, tuple[str, ...]]] = [(message, ()) for message in reversed(below.get("", []))]
    while todo:
        message, path = todo.pop()
        yield message, path
        todo += [(reply, (*path, message.msg_id)) for reply in reversed(below.get(message.msg_id, []))]


def _print(log: Bus, found: Iterable[Message], as_json: bool) -> Message | None:
    """Print messages and return the last of them."""
    last = None
    if as_json:
        messages = list(found)
        document(messages=[message_document(message) for message in messages])
        return messages[-1] if messages else None
    render = renderer(sys.stdout, lambda msg_id: _found(log, msg_id))
    for last in found:
        print(render(last, ()))
    return last


def _print_conversation(log: Bus, messages: Sequence[Message], as_json: bool) -> None:
    if as_json:
        document(messages=[message_document(message) for message in messages])
        return
    render = renderer(sys.stdout, lambda msg_id: _found(log, msg_id))
    for message, above in threaded(messages):
        print(render(message, above))


def _start(log: Bus, since: str | None, reader: str | None) -> str | None:
    """The cursor to go on from: the one that was named, or the one that the reader has acknowledged."""
    return since if reader is None else log.acknowledged(reader)


def _end(log: Bus) -> str | None:
    last = log.tail(1)
    return last[-1].msg_id if last else None


def _found(log: Bus, msg_id: str) -> Message | None:
    try:
        return log.get(msg_id)
    except UnknownCursor:
        return None


def _task(named: str | None) -> TaskId | None:
    return parse_task_id(named) if named is not None else None


def _tell_missing(log: Bus) -> None:
    """A bus is made by its first message, so one that is not there is empty; its name may be wrong, though."""
    path = parse_address(log.url).path
    if not os.path.lexists(path):
        narrate("○", f"there is no bus at {path} yet")


def _told(text: str) -> None:
    narrate("○", text)


def _require_alone(option: str, value: object, others: Mapping[str, object]) -> None:
    """Refuse options that contradict each other, before anything is looked at."""
    clash = next((name for name, other in others.items() if other), None)
    if value is not None and clash is not None:
        raise BadInput(f"{option} and {clash} cannot be combined", hint="conductor-git bus read --help")


def _require_reader(since: str | None, reader: str | None, ack: bool) -> None:
    _require_alone("--as", reader, {"--since": since})
    if ack and reader is None:
        raise BadInput(
            "--ack needs --as: whose cursor is it that moves on?", hint="conductor-git bus read --as NAME --ack"
        )
