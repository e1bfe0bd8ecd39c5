"""GET /api/v1/events: the bus, and with it every change of a task, as server-sent events."""

from __future__ import annotations

import re
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request

from conductor_git.errors import BadInput
from conductor_git.names import parse_task_id
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.streams.entry import Wanted
from conductor_git.server.streams.live import Live, live
from conductor_git.server.streams.response import EventStream
from conductor_git.server.streams.stream import Stream, refusal
from conductor_git.server.streams.subscription import Subscription

router = APIRouter()

_TYPE: Final = re.compile(r"[A-Z][A-Z_]{0,63}", re.ASCII)
_Cursor = Annotated[str | None, Query(max_length=200)]
_LastEventId = Annotated[str | None, Header(max_length=200)]


def cursor(since: _Cursor = None, last_event_id: _LastEventId = None) -> str | None:
    """Where a client wants to go on: `Last-Event-ID`, which a browser sends when it comes again, before `since`."""
    return last_event_id or since or None


Since = Annotated[str | None, Depends(cursor)]


@router.get("/api/v1/events", response_class=EventStream, include_in_schema=False)
async def events(
    request: Request,
    asking: Annotated[Who, Depends(who)],
    shared: Annotated[Live, Depends(live)],
    since: Since = None,
    kind: Annotated[list[str] | None, Query(alias="type", max_length=64)] = None,
    task: Annotated[str | None, Query(max_length=200)] = None,
) -> EventStream:
    """Every message after the cursor, once and in order, and then each new one; without a cursor, those from now on."""
    wanted = Wanted(frozenset(map(_type, kind or ())), None if task is None else parse_task_id(task))
    shared.require_room()
    await shared.ready()
    stream = Stream("events", lambda: refusal(request, asking))
    subscription = Subscription(shared, stream, wanted, since)
    await subscription.open()
    return EventStream(shared, stream, subscription.pieces())


def _type(text: str) -> str:
    if not _TYPE.fullmatch(text):
        raise BadInput(f"{text!r} is not a message type: A-Z and _, starting with a letter", hint="use type=STATE")
    return text
