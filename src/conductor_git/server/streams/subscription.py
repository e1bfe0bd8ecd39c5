"""A client of the bus: what it has missed, then what comes, each message once and in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from conductor_git import __version__
from conductor_git.errors import ConductorError
from conductor_git.server.streams.entry import Wanted
from conductor_git.server.streams.live import Live
from conductor_git.server.streams.pages import Page, page
from conductor_git.server.streams.ring import Place
from conductor_git.server.streams.sse import event, heartbeat, retry
from conductor_git.server.streams.stream import Stream


class Subscription:
    """Reads the bus from its place on until the live messages, which all clients share, go on just there.

    So there is no moment at which the two are joined, and nothing between them to lose or to tell twice.
    """

    def __init__(self, live: Live, stream: Stream, wanted: Wanted, cursor: str | None) -> None:
        self._live, self._stream, self._wanted = live, stream, wanted
        self._place = live.ring.end[0] if cursor is None else Place(cursor)
        self._number: int | None = None
        self._page: Page | None = None

    async def open(self) -> None:
        """Find the place; `UnknownCursor` where the bus has no message of that id."""
        self._number = self._live.ring.number_after(self._place)
        if self._number is None:
            self._page = await self._live.read(page, self._live.project, self._place, self._wanted)

    async def pieces(self) -> AsyncGenerator[bytes]:
        cursor = self._place.msg_id
        yield retry() + event("hello", {"version": __version__, "cursor": cursor}, cursor)
        try:
            async for piece in self._missed():
                yield piece
            async for piece in self._coming():
                yield piece
        except ConductorError as error:
            self._stream.fail(await self._live.reason(error))
        if self._stream.is_ending:
            yield self._stream.farewell

    async def _missed(self) -> AsyncGenerator[bytes]:
        stream, ring = self._stream, self._live.ring
        while self._number is None and not stream.is_ending:
            stream.news.clear()
            found, self._page = self._page, None
            if found is None:
                found = await self._live.read(page, self._live.project, self._place, self._wanted)
            is_here = found.is_last and found.place == self._place
            self._place = found.place
            if found.data:
                yield found.data
            elif stream.take_beat():
                yield heartbeat(self._place.msg_id)
            self._number = ring.number_after(self._place)
            if self._number is None and is_here:
                await stream.news.wait()  # the follower of the bus is about to come here

    async def _coming(self) -> AsyncGenerator[bytes]:
        stream, ring = self._stream, self._live.ring
        while not stream.is_ending:
            stream.news.clear()
            assert self._number is not None
            found = ring.piece(self._number, self._place, self._wanted)
            if found is None:
                yield event("lagging", {"cursor": self._place.msg_id}, self._place.msg_id)
                return
            self._place, self._number = found.place, found.number
            if found.data:
                yield found.data
            elif stream.take_beat():
                yield heartbeat(self._place.msg_id)
            else:
                await stream.news.wait()
