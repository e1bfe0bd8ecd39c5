"""What every backend of the bus offers. A cursor is a `msg_id`; an unknown one is an error, never a replay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from typing import NamedTuple, Protocol

from conductor_git.frames.decoder import Damage
from conductor_git.message import Message


class Report(NamedTuple):
    """What `verify` found. `damage` holds the first places of `damaged`; `torn` is where an incomplete message begins
    at the end of the bus, which the next writer moves to the quarantine."""

    messages: int = 0
    recovered: int = 0
    damaged: int = 0
    damage: tuple[Damage, ...] = ()
    disordered: tuple[str, ...] = ()
    """The first ids that do not lie above the one before them."""
    torn: int | None = None
    flush_failed: str | None = None
    """What the failed flush said, since which the bus takes no message."""

    @property
    def is_sound(self) -> bool:
        return not (self.damaged or self.disordered or self.flush_failed)


class Bus(Protocol):
    """An append-only log of messages that many processes share."""

    def append(self, message: Message) -> str:
        """Give `message` its id and time, store it, and return the id; on disk when this returns."""
        ...

    def read(
        self,
        since: str | None = None,
        limit: int | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
    ) -> Generator[Message, None, None]:
        """The messages after `since` (None: all), oldest first, at most `limit`; `UnknownCursor` at once."""
        ...

    def tail(self, n: int, types: Collection[str] = (), task_id: str | None = None) -> list[Message]:
        """The last `n` messages that match, oldest first."""
        ...

    def follow(
        self,
        since: str | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Generator[Message, None, None]:
        """As `read`, and then every new message as it comes, until `stop()`."""
        ...

    def verify(self) -> Report:
        """Read everything and tell what is wrong with it; changes nothing."""
        ...
