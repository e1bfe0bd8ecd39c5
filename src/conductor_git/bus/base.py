"""What every backend of the bus offers. A cursor is a `msg_id`; an unknown one is an error, never a replay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from conductor_git.bus.halt import Halt, moved_to
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import Tell
from conductor_git.frames.decoder import Damage
from conductor_git.message import Message


class Spot(NamedTuple):
    """Damage by the file that it is in; the offset is a byte of that file, or a row where the bus is not text."""

    path: Path
    damage: Damage


class Report(NamedTuple):
    """What `verify` found. `damage` holds the first places of `damaged`; `torn` is where an incomplete message begins
    at the end of the bus, which the next writer moves to the quarantine."""

    messages: int = 0
    segments: int = 0
    recovered: int = 0
    damaged: int = 0
    damage: tuple[Spot, ...] = ()
    disordered: tuple[str, ...] = ()
    """The first ids that do not lie above the one before them."""
    torn: int | None = None
    halted: str | None = None
    """Why the bus takes no message: what the failed flush said, or where the bus has moved."""

    @property
    def is_sound(self) -> bool:
        return not (self.damaged or self.disordered or self.failed_flush)

    @property
    def failed_flush(self) -> str | None:
        """What the flush said that halted the bus; one that has moved takes no message either, and lost none."""
        return None if moved_to(self.halted) else self.halted


class Bus(Protocol):
    """An append-only log of messages that many processes share."""

    @property
    def url(self) -> str:
        """What names this bus to every command and tool: `file:/abs/path`, `sqlite:/abs/path`."""
        ...

    @property
    def is_text(self) -> bool:
        """Whether it lies in files that any tool reads and appends to: then the offset of damage is a byte of its file,
        and elsewhere the number of a row."""
        ...

    @property
    def halt(self) -> Halt:
        """Why it takes no message, where it takes none, and the way to let it take some again."""
        ...

    def append(self, message: Message) -> str:
        """Give `message` its id and time, store it, and return the id; on disk when this returns.

        Secrets that this process knows or that look like a provider's key are masked before anything is written.
        """
        ...

    def adopt(self, messages: Iterable[Message]) -> int:
        """Store messages of another bus as they are, ids kept and in their order; on disk when this returns. How many.

        `BadInput` where one of our ids is not above the last one of this bus; what came before it is stored. A bus that
        has moved away takes them too: it is how it comes back.
        """
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

    def get(self, msg_id: str) -> Message:
        """The message with this id, or `UnknownCursor`."""
        ...

    def tail(self, n: int, types: Collection[str] = (), task_id: str | None = None) -> list[Message]:
        """The last `n` messages that match, oldest first."""
        ...

    def follow(
        self,
        since: str | None = None,
        types: Collection[str] = (),
        task_id: str | None = None,
        stop: Stop | None = None,
        tell: Tell | None = None,
    ) -> Generator[Message, None, None]:
        """As `read`, and then every new message as it comes, until `stop`. Sleeps while there is none.

        Where the system does not tell of changes it looks now and then instead, and says so once through `tell`.
        """
        ...

    def verify(self) -> Report:
        """Read everything and tell what is wrong with it; changes nothing."""
        ...

    def acknowledged(self, reader: str) -> str | None:
        """The last message that `reader` has dealt with; None for one who never acknowledged any."""
        ...

    def acknowledge(self, reader: str, msg_id: str) -> str:
        """Remember durably that `reader` has dealt with everything up to `msg_id`, and return the cursor in force.

        A cursor never goes back; `UnknownCursor` for an id that is not on the bus.
        """
        ...

    def readers(self) -> Mapping[str, str]:
        """Reader → acknowledged cursor, of all who ever acknowledged any."""
        ...

    def hand_over(self, url: str, rest: Callable[[], None]) -> None:
        """With all writers kept out: call `rest`, which takes what is left to take, and then send writers to `url`.

        From then on every `append` is refused with `BusMoved`, whose fact `url` says where to go on.
        """
        ...
