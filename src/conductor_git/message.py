"""The message: what everyone shares on the bus, its limits, and its id (no I/O)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, AnyStr, Final, NamedTuple, NoReturn

from conductor_git.errors import BadInput, TooLarge

MAX_BODY: Final = 256 * 1024
MAX_HEADER: Final = 64 * 1024
COORDINATOR_TYPES: Final = frozenset(
    {"STATE", "RUN_START", "RUN_STOP", "RUN_CRASH", "GATE", "LANDED", "BOUNCED", "UNDONE"}
)
"""Lifecycle and landing types: nobody but the coordinator posts these."""

LEGACY: Final = "LEGACY-"
"""How the ids of legacy lines begin; the rest is the line's place in the file."""

_TYPE: Final = re.compile(r"[A-Z][A-Z_]*", re.ASCII)
_MSG_ID: Final = re.compile(
    r"MSG-([0-9]{4})([0-9]{2})([0-9]{2})-([0-9]{2})([0-9]{2})([0-9]{2})-([0-9]{9})-PID[0-9]{5,}-[0-9]{4,}", re.ASCII
)
_TIME_LENGTH: Final = len("MSG-YYYYMMDD-HHMMSS-NNNNNNNNN")
_SECOND: Final = 1_000_000_000
_END_OF_TIME: Final = 253_402_300_800 * _SECOND
"""The year 10000, which an id has no room for."""
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Parent(NamedTuple):
    """A message that this one answers, corrects, belongs to."""

    msg_id: str
    kind: str | None = None


class Message(NamedTuple):
    """One message. The bus gives it `msg_id` and `ts`; `extra` holds header keys of other tools.

    `recovered` marks a frame that was found by searching past damage: it is shown, and nothing acts on it.
    """

    type: str
    body: str
    project_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    parents: tuple[Parent, ...] = ()
    attachment_path: str | None = None
    meta: Mapping[str, str] = _NOTHING
    msg_id: str = ""
    ts: str = ""
    extra: Mapping[str, object] = _NOTHING
    recovered: bool = False


def make_msg_id(now_ns: int, pid: int, counter: int) -> str:
    """The id of the message that process `pid` makes at `now_ns` (Unix time in ns, before the year 10000)."""
    seconds, nanoseconds = divmod(now_ns, _SECOND)
    return f"MSG-{_second(seconds)[0]}-{nanoseconds:09d}-PID{pid:05d}-{counter % 10000:04d}"


def timestamp(now_ns: int) -> str:
    """`now_ns` as `ts` holds it: UTC with nanoseconds."""
    seconds, nanoseconds = divmod(now_ns, _SECOND)
    return f"{_second(seconds)[1]}.{nanoseconds:09d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> tuple[str, str]:
    """A second as ids and as times show it."""
    at = time.gmtime(seconds)
    return time.strftime("%Y%m%d-%H%M%S", at), time.strftime("%Y-%m-%dT%H:%M:%S", at)


def id_time(msg_id: str) -> int | None:
    """The Unix time in ns that `msg_id` was made at; None for an id of another shape."""
    from datetime import UTC, datetime

    match = _MSG_ID.fullmatch(msg_id)
    if match is None:
        return None
    try:
        year, month, day, hour, minute, second, nanoseconds = map(int, match.groups())
        at = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) * _SECOND + nanoseconds


def id_key(msg_id: AnyStr) -> AnyStr:
    """The part of an id of our shape that orders it: ids of one bus differ in it and rise in file order."""
    return msg_id[:_TIME_LENGTH]


def next_time(now_ns: int, last_id: str) -> int:
    """The time of a message that follows `last_id`: now, or 1 ns after it where the clock stands behind."""
    if make_msg_id(now_ns, 0, 0)[:_TIME_LENGTH] > id_key(last_id):
        return now_ns
    last = id_time(last_id)
    return now_ns if last is None or last + 1 >= _END_OF_TIME else max(now_ns, last + 1)


def check_message(message: Message) -> None:
    """Refuse what the bus cannot hold: `BadInput` for a wrong type or text, `TooLarge` for a body over 256 KiB."""
    if not _TYPE.fullmatch(message.type):
        _refuse(f"{message.type!r} is not a message type: A-Z and _, starting with a letter", "use --type FACT")
    if len(message.body) > MAX_BODY or len(_text(message.body, "body")) > MAX_BODY:
        raise TooLarge(
            f"a message body holds at most {MAX_BODY} bytes",
            hint="write it to a file and attach that: conductor-git bus post --attach PATH",
            limit=MAX_BODY,
        )
    if "\0" in message.body:
        _refuse("a message body holds no NUL byte", "attach the file: conductor-git bus post --attach PATH")


def selector(types: Collection[str], task_id: str | None) -> Callable[[Message], bool]:
    """The filter of all reading: nothing named means all, and ids are compared whole."""
    if not types and task_id is None:
        # True of every message, and `filter` knows it: calls nothing.
        return bool
    return lambda message: (not types or message.type in types) and (task_id is None or message.task_id == task_id)


def legacy_id(offset: int) -> str:
    return f"{LEGACY}{offset:012d}"


def message_document(message: Message) -> dict[str, Any]:
    """`message` for `--json`: the field names of the header, and `body`."""
    return {
        **message.extra,
        "msg_id": message.msg_id,
        "ts": message.ts,
        "type": message.type,
        "project_id": message.project_id,
        "task_id": message.task_id,
        "run_id": message.run_id,
        "parents": [{"msg_id": parent.msg_id, "kind": parent.kind} for parent in message.parents],
        "attachment_path": message.attachment_path,
        "meta": dict(message.meta),
        "body": message.body,
        "recovered": message.recovered,
    }


def _text(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        _refuse(f"the {what} of a message is text that UTF-8 can hold, without lone surrogates", "check its encoding")


def _refuse(message: str, hint: str) -> NoReturn:
    raise BadInput(message, hint=hint)
