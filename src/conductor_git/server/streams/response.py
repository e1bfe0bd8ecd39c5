"""A response that is a stream of events, until its client goes or its server ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from conductor_git.server.streams.live import Live
from conductor_git.server.streams.stream import Stream

HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Nobody on the way keeps what was sent, or holds it back."""


class EventStream(StreamingResponse):
    """Sends `pieces`. A client that reads slowly is waited for, here and nowhere else."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, stream: Stream, pieces: AsyncGenerator[bytes]) -> None:
        super().__init__(pieces, headers=HEADERS)
        self._live, self._stream, self._pieces = live, stream, pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        sending = asyncio.create_task(self.stream_response(send))
        gone = asyncio.create_task(_gone(receive))
        with self._live.listed(self._stream):
            self._stream.sending = sending
            try:
                await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in (sending, gone):
                    each.cancel()
                await asyncio.wait({sending, gone})
                await self._pieces.aclose()
        with suppress(asyncio.CancelledError):  # it was cut off, or its client has gone
            sending.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
