"""The one thread that follows the bus for all clients of a server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Final

from conductor_git.bus.watching.stop import Stop
from conductor_git.errors import ConductorError, UnknownCursor
from conductor_git.message import Message
from conductor_git.project import Project
from conductor_git.server.streams.entry import BEGINNING, entry_of
from conductor_git.server.streams.ring import Place, Ring

_LOOKED_BACK: Final = 64
Seen = Callable[[Message], None]


class Follower:
    """Puts every new message of the bus into `ring`, and calls `news` after it; `seen` gets each message as well.

    It sleeps while there is none. Where the bus cannot be followed any more it calls `failed` once and ends; `start`
    begins again where it left off. Both are called in its thread.
    """

    def __init__(
        self,
        project: Project,
        ring: Ring,
        news: Callable[[], None],
        failed: Callable[[ConductorError], None],
        seen: Seen,
    ) -> None:
        self._project, self._ring = project, ring
        self._news, self._failed, self._seen = news, failed, seen
        self._stop = Stop()
        self._thread: threading.Thread | None = None
        self._place: Place | None = None

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Know where the bus ends, then follow it in a thread; a refusal of the bus is the caller's. Reads."""
        if self.is_alive or self._stop.is_set:
            return
        if self._place is None or not self._is_known(self._place):
            self._place = self._last_place()
            self._ring.begin(self._place)
        self._thread = threading.Thread(target=self._run, args=(self._place,), name="bus-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for that."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._stop.close()

    def _last_place(self) -> Place:
        beyond = 0
        for message in reversed(self._project.bus.tail(_LOOKED_BACK)):
            if not message.recovered:
                return Place(message.msg_id, beyond)
            beyond += 1
        return Place(BEGINNING, beyond)

    def _is_known(self, place: Place) -> bool:
        with suppress(UnknownCursor):
            self._project.bus.read(_since(place), limit=1).close()
            return True
        return False

    def _run(self, place: Place) -> None:
        try:
            with closing(self._project.bus.follow(_since(place), stop=self._stop)) as found:
                skipped = 0
                for message in found:
                    if skipped < place.beyond:
                        skipped += 1
                        continue
                    self._take(message)
        except ConductorError as refused:
            self._failed(refused)
        except OSError as error:
            self._failed(ConductorError(f"the bus cannot be followed: {error.strerror}", hint="conductor-git doctor"))

    def _take(self, message: Message) -> None:
        entry = entry_of(self._project.layout, message)
        self._ring.append(entry)
        self._place = self._ring.end[0]
        self._news()
        self._seen(message)


def _since(place: Place) -> str | None:
    return None if place.msg_id == BEGINNING else place.msg_id
