"""Counts every request by its route and status, and how long its answer took to begin."""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from conductor_git.server.measuring.meters import Meters


@dataclass(frozen=True, slots=True)
class Timing:
    """An ASGI application around all others. A stream counts when it begins: its length is its client's choice."""

    app: ASGIApp
    meters: Meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - began
                self.meters.request(scope["method"], _route(scope), message["status"], seconds)
            await send(message)

        await self.app(scope, receive, counted)


def _route(scope: Scope) -> str:
    """The pattern that the path fits, so that ids in paths make no label of their own."""
    return getattr(scope.get("route"), "path", "unmatched")
