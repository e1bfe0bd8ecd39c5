"""The body of a request: bounded before it is read, and of the kind that the route is for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Message, Receive

from conductor_git.errors import BadInput, TooLarge
from conductor_git.server.refusals import UnsupportedType

LIMIT: Final = 1024 * 1024
SECONDS: Final = 60
"""A client that takes longer to send so little is let go."""
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 1000
_LINGER_SECONDS: Final = 5.0
_LINGER_BYTES: Final = 16 * LIMIT


async def read(headers: Mapping[str, str], receive: Receive) -> bytes:
    """The whole body; `TooLarge` as soon as it is known to be over `LIMIT`, by what the client announced or sent."""
    announced = headers.get("content-length", "0")
    if announced.isascii() and announced.isdecimal() and int(announced) > LIMIT:
        raise _too_large()
    try:
        async with asyncio.timeout(SECONDS):
            return await _all(receive)
    except TimeoutError as late:
        raise BadInput(f"the body of the request did not come within {SECONDS} s", hint="send it again") from late


def require_kind(path: str, headers: Mapping[str, str], body: bytes) -> None:
    """JSON only for the API, a form or JSON for pages (`UnsupportedType`); a body of nothing has no kind."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    allowed = (JSON,) if path.startswith("/api/") else (FORM, JSON)
    if body and kind not in allowed:
        raise UnsupportedType(
            f"a body is {' or '.join(allowed)} here, and not {kind or 'of an unnamed type'}",
            hint=f"Content-Type: {allowed[0]}",
            content_type=kind,
            needs=list(allowed),
        )


def fields_of(body: bytes) -> dict[str, str]:
    """The fields of a form; of one that came more than once, the last. `BadInput` for what is no form."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise BadInput("the body is not a form", hint=f"Content-Type: {FORM}") from error
    return dict(pairs)


def csrf_shown(headers: Mapping[str, str], body: bytes) -> str:
    """What a request of a browser shows as its CSRF token: a header of scripts, or a field of forms."""
    if (by_header := headers.get("x-csrf-token")) is not None:
        return by_header
    is_form = headers.get("content-type", "").partition(";")[0].strip().lower() == FORM
    return fields_of(body).get("csrf", "") if is_form else ""


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body that was read, and then whatever comes (a disconnect)."""
    rest = [body]

    async def replay() -> Message:
        if rest:
            return {"type": "http.request", "body": rest.pop(), "more_body": False}
        return await receive()

    return replay


async def drain(receive: Receive) -> None:
    """Read on and keep nothing, for some seconds and bytes at most."""
    left = _LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


async def _all(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadInput("the client went away before its request was there", hint="send it again")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > LIMIT:
            raise _too_large()
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large() -> TooLarge:
    return TooLarge(f"the body of a request has at most {LIMIT} bytes", hint="send less at once", limit=LIMIT)
