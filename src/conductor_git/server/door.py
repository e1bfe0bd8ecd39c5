"""What every request passes before any route sees it, and what every answer leaves with."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conductor_git.errors import ConductorError
from conductor_git.masking import mask
from conductor_git.server import problem
from conductor_git.server.access import body as bodies
from conductor_git.server.access.gate import SAFE
from conductor_git.server.access.headers import secured
from conductor_git.server.access.hosts import is_from_elsewhere
from conductor_git.server.refusals import Forbidden, WrongHost
from conductor_git.server.serving import Serving


@dataclass(slots=True)
class _Exchange:
    """One request and how it was answered; `status` is 0 as long as no answer has begun, and `is_read` is set once
    nothing of the request is left to read."""

    request_id: str
    scope: Scope
    receive: Receive
    send: Send
    status: int = 0
    is_read: bool = False

    async def take(self) -> Message:
        message = await self.receive()
        self.is_read = not message.get("more_body", False)
        return message

    async def answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message = {**message, "headers": secured(list(message.get("headers", ())), self.request_id)}
        await self.send(message)


@dataclass(frozen=True, slots=True)
class Door:
    """An ASGI application around another: Host, Origin, size and kind of the body, security headers, request ids, and
    a line of the access log for each request, which holds neither query nor header nor body."""

    app: ASGIApp
    serving: Serving
    log: Callable[[str], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(secrets.token_hex(8), scope, receive, send)
        began = time.perf_counter()
        try:
            await self._answer(exchange)
        finally:
            self.log(_line(exchange, time.perf_counter() - began))

    async def _answer(self, exchange: _Exchange) -> None:
        try:
            receive = await self._checked(exchange)
        except ConductorError as refused:
            await _refuse(exchange, refused)
            return
        try:
            await self.app(exchange.scope, receive, exchange.answer)
        except Exception as error:  # noqa: BLE001 - the boundary: a bug is told by an id, and logged under it
            await self._told(exchange, receive, error)

    async def _told(self, exchange: _Exchange, receive: Receive, error: Exception) -> None:
        if not self.serving.project.layout.common_dir.is_dir():
            answer = problem.answer(problem.gone())
        elif (refused := problem.of_the_system(error)) is not None:
            answer = problem.answer(refused)
        else:
            trace = mask("".join(traceback.format_exception(error)))
            self.log(f"bug in request {exchange.request_id}: {trace.rstrip()}")
            answer = problem.bug(exchange.request_id)
        if not exchange.status:
            await answer(exchange.scope, receive, exchange.answer)

    async def _checked(self, exchange: _Exchange) -> Receive:
        headers, scope = Headers(scope=exchange.scope), exchange.scope
        state = scope.setdefault("state", {})
        state["request_id"] = exchange.request_id
        _require_host(headers, self.serving)
        if scope["method"] in SAFE:
            return exchange.take
        if is_from_elsewhere(headers):
            raise Forbidden("a page of another site asked for this", hint="use the page of this server")
        body = await bodies.read(headers, exchange.take)
        bodies.require_kind(scope["path"], headers, body)
        state["csrf"] = bodies.csrf_shown(headers, body)
        return bodies.again(body, exchange.take)


async def _refuse(exchange: _Exchange, refused: ConductorError) -> None:
    """Answer, then let go of a connection on which more of the request is under way: not at once, because a client
    that is cut off while it sends never sees what it was told."""
    if exchange.is_read:
        await problem.answer(refused)(exchange.scope, exchange.receive, exchange.answer)
        return
    answer = problem.answer(refused, headers={"Connection": "close"})

    async def lingering(message: Message) -> None:
        is_last = message["type"] == "http.response.body"
        await exchange.answer({**message, "more_body": True} if is_last else message)
        if is_last:
            await bodies.drain(exchange.take)
            await exchange.answer({"type": "http.response.body", "body": b"", "more_body": False})

    await answer(exchange.scope, exchange.receive, lingering)


def _require_host(headers: Headers, serving: Serving) -> None:
    shown = headers.getlist("host")
    if len(shown) != 1 or not serving.gate.hosts.knows(shown[0]):
        raise WrongHost("this server does not go by that name", hint="http://127.0.0.1", host=", ".join(shown))


def _line(exchange: _Exchange, seconds: float) -> str:
    scope = exchange.scope
    path = scope.get("raw_path", b"").decode("ascii", "replace")[:200]
    method = scope["method"] if scope["method"].isalpha() else "?"
    by = scope.get("state", {}).get("by", "-")
    return f"{exchange.status or '---'} {method} {path} {seconds * 1000:.0f}ms by={by} request={exchange.request_id}"
