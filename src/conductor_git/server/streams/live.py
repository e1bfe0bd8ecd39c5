"""What all streams of a server share: the last messages, the follower of the bus, the beat, the readers, the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from fastapi import Request

from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import unheard
from conductor_git.bus.watching.watch import Watch
from conductor_git.errors import ConductorError
from conductor_git.message import Message
from conductor_git.project import Project
from conductor_git.server import problem
from conductor_git.server.refusals import TooManyStreams
from conductor_git.server.streams.follower import Follower
from conductor_git.server.streams.ring import Ring
from conductor_git.server.streams.stream import Stream
from conductor_git.server.streams.watchers import Watchers

BEAT_SECONDS: Final = 15.0
MOST: Final = 4000
"""So many streams at once; one more is refused."""
_REMOVED_SECONDS: Final = 0.5
"""Where something is missing the whole repository may be on its way out: so much later it is clear which."""
_READERS: Final = 4
"""So many threads read for all streams; what else is to be read waits for its turn."""
T = TypeVar("T")
P = ParamSpec("P")


class Live:
    """One for each server. `seen` gets every message that the bus takes while the server runs, in a thread.

    Everything but `wake` and `close_soon` belongs to the event loop that called `ready` first.
    """

    def __init__(
        self,
        project: Project,
        tokens: Path,
        seen: Callable[[Message], None] = lambda _: None,
        beat_seconds: float = BEAT_SECONDS,
    ) -> None:
        self.project = project
        self.ring = Ring()
        self.streams: set[Stream] = set()
        self.watchers = Watchers(project, self._soon)
        self.beat_seconds = beat_seconds
        self._tokens = tokens
        self._follower = Follower(project, self.ring, self.wake, self._failed, seen)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="stream-reader")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._started: set[asyncio.Task[None]] = set()
        self._is_told = False
        self._stop = Stop()
        self._watching = threading.Thread(target=self._watch_tokens, name="token-watch", daemon=True)

    async def ready(self) -> None:
        """Follow the bus, from now on at the latest; a refusal of the bus is the caller's."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._beating = asyncio.create_task(self._beat())
            self._watching.start()
        async with self._starting:
            if not self._follower.is_alive:
                await self.read(self._follower.start)

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns, which may read and wait; it runs in one of a few threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: work(*args, **kwargs))

    @contextmanager
    def listed(self, stream: Stream) -> Iterator[None]:
        """`stream` is woken and ended with the others within the block."""
        self.streams.add(stream)
        if self._stop.is_set:
            stream.end("shutdown")
        try:
            yield
        finally:
            self.streams.discard(stream)

    def require_room(self) -> None:
        if len(self.streams) >= MOST:
            raise TooManyStreams(
                f"{MOST} streams are open at this server, and no more are served at once",
                hint="conductor-git bus follow",
                limit=MOST,
            )

    async def reason(self, error: ConductorError) -> ConductorError:
        """Why something failed: `error`, or that the repository is gone, which is seen a moment later."""
        await asyncio.sleep(_REMOVED_SECONDS)
        return error if await self.read(self.project.layout.common_dir.is_dir) else problem.gone()

    def close_soon(self) -> None:
        """End every stream and thread; from any thread, and without waiting. No stream is served after it."""
        if self._loop is not None:
            self._soon(self._close)

    def _close(self) -> None:
        self._stop.set()
        for stream in self.streams:
            stream.end("shutdown")
        if self._beating is not None:
            self._beating.cancel()
        self._follower.stop()
        self._watching.join()
        self._readers.shutdown(wait=False, cancel_futures=True)

    def wake(self) -> None:
        """Let every stream look whether there is something to send; from any thread."""
        if not self._is_told:
            self._is_told = True
            self._soon(self._wake)

    def _wake(self) -> None:
        self._is_told = False
        for stream in self.streams:
            stream.news.set()

    def _failed(self, error: ConductorError) -> None:
        self._soon(lambda: self._start(self._fail(error)))

    async def _fail(self, error: ConductorError) -> None:
        with suppress(RuntimeError):  # the server ends
            because = await self.reason(error)
            for stream in self.streams:
                if stream.kind == "events":
                    stream.fail(because)

    def _soon(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop has ended, and with it everybody whom this would wake
            self._loop.call_soon_threadsafe(call)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.beat_seconds)
            for stream in self.streams:
                stream.beat()
            await self._check()

    def _watch_tokens(self) -> None:
        with Watch(self._tokens, unheard) as watch:
            while not self._stop.is_set:
                watch.arm()
                self._soon(lambda: self._start(self._check()))
                watch.wait(self._stop)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        started = asyncio.create_task(work)
        self._started.add(started)
        started.add_done_callback(self._started.discard)

    async def _check(self) -> None:
        """End the streams of those who would not be let in any more."""
        with suppress(RuntimeError):  # the server ends
            streams = [stream for stream in self.streams if not stream.is_ending]
            refused = await self.read(_refused, streams)
            if refused and not await self.read(self._tokens.exists):
                await asyncio.sleep(_REMOVED_SECONDS)
                refused = await self.read(_refused, streams)
            for stream, error in refused:
                stream.refuse(error)


def _refused(streams: list[Stream]) -> list[tuple[Stream, ConductorError]]:
    asked = ((stream, stream.refusal()) for stream in streams)
    return [(stream, error) for stream, error in asked if error is not None]


def live(request: Request) -> Live:
    """The streams of the server that answers `request`; for `Depends`."""
    found = request.app.state.live
    assert isinstance(found, Live)
    return found
