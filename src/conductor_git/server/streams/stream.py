"""One open stream: what wakes it, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from fastapi import Request

from conductor_git.errors import ConductorError
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.refusals import Unauthorized
from conductor_git.server.streams.sse import event

GRACE_SECONDS: Final = 2.0
"""A stream that is to end is cut off after so long, if its client takes nothing."""


class Stream:
    """Belongs to the event loop; nothing here is called from another thread, `refusal` excepted, which may read."""

    def __init__(self, kind: str, refusal: Callable[[], ConductorError | None]) -> None:
        self.kind = kind
        self.refusal = refusal
        """Why whoever reads it would not be let in any more; None as long as they would."""
        self.news = asyncio.Event()
        """Set where there may be something to send."""
        self.is_beat_due = False
        self.sending: asyncio.Task[None] | None = None
        self._farewell = b""

    @property
    def is_ending(self) -> bool:
        return bool(self._farewell)

    @property
    def farewell(self) -> bytes:
        """The last event, which says why it ends."""
        return self._farewell

    def end(self, reason: str) -> None:
        """Send what `reason` says and end; a client that takes nothing is cut off after the grace."""
        self._end(event("end", {"reason": reason}))

    def fail(self, error: ConductorError) -> None:
        self._end(event("failure", {"error": error.document()}))

    def refuse(self, error: ConductorError) -> None:
        """End, because `error` is what its reader would be told now."""
        if isinstance(error, Unauthorized):
            self.end("revoked")
        else:
            self.fail(error)

    def beat(self) -> None:
        self.is_beat_due = True
        self.news.set()

    def take_beat(self) -> bool:
        """Whether a heartbeat is due; then it no longer is."""
        due, self.is_beat_due = self.is_beat_due, False
        return due

    def _end(self, farewell: bytes) -> None:
        if not self._farewell:
            self._farewell = farewell
            self.news.set()
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._cut)

    def _cut(self) -> None:
        if self.sending is not None:
            self.sending.cancel()


def refusal(request: Request, asking: Who) -> ConductorError | None:
    """Why whoever opened a stream would not be let in again. Reads, so call it in a thread."""
    try:
        return None if who(request).token_id == asking.token_id else Unauthorized("another token is shown")
    except ConductorError as refused:
        return refused
