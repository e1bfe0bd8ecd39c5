"""Why a bus takes no message any more, in a file beside it that every writer looks for under the lock."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from shlex import quote

from conductor_git import durable
from conductor_git.errors import BusDamaged, BusMoved, ConductorError, StateUnwritable
from conductor_git.message import timestamp

_MOVED = "moved to "


def moved_to(reason: str | None) -> str | None:
    """The URL that a halted bus has moved to by its `reason`; None where it was halted for another one, or not."""
    return reason.removeprefix(_MOVED) if reason is not None and reason.startswith(_MOVED) else None


class Halt:
    """The marker `<bus>.halted`. One line: a failed flush with its time and words, or `moved to URL`."""

    def __init__(self, bus: Path) -> None:
        self._bus = bus
        self.marker = bus.with_name(f"{bus.name}.halted")
        self._name = os.fspath(self.marker)
        self._failed = ""
        """What a flush of ours said; counts also where the marker could not be written."""

    def require_none(self, *, though_moved: bool = False) -> None:
        """Refuse (`BusDamaged`, `BusMoved`) where the bus takes no message; call it with the writers' lock held.

        `though_moved` is for whoever brings back to it what was posted since it moved.
        """
        if self._failed or self._is_marked():
            refusal = self._refusal()
            if not (though_moved and isinstance(refusal, BusMoved)):
                raise refusal

    def flush_failed(self, error: OSError) -> BusDamaged:
        """Halt the bus for a flush that failed and is never tried again; the error to raise."""
        said = error.strerror or str(error)
        self._failed = f"a flush failed at {timestamp(time.time_ns())}: {said}"
        with suppress(StateUnwritable):
            durable.replace(self.marker, f"{self._failed}\n".encode())
        return BusDamaged(
            f"the flush of {self._bus} failed ({said}): the message may be lost, and the bus takes no more",
            hint="conductor-git bus verify",
            path=str(self._bus),
            errno=error.errno,
        )

    def moved(self, url: str) -> None:
        """Send writers to `url` from now on; durable when this returns."""
        durable.replace(self.marker, f"{_MOVED}{url}\n".encode())

    def lift(self) -> None:
        """Take messages again: once somebody has looked at what the bus holds."""
        durable.remove(self.marker)
        self._failed = ""

    @property
    def reason(self) -> str | None:
        try:
            return durable.read_regular(self.marker, 4096).decode("utf-8", "replace").strip()
        except FileNotFoundError:
            return self._failed or None

    @property
    def moved_to(self) -> str | None:
        """Where the bus has moved; None where it has not."""
        return moved_to(self.reason)

    def _is_marked(self) -> bool:
        try:
            os.lstat(self._name)
        except FileNotFoundError:
            return False
        except OSError as error:
            # What cannot be looked at is no reason to take messages.
            raise durable.unwritable(self.marker, error) from error
        return True

    def _refusal(self) -> ConductorError:
        if url := self.moved_to:
            return BusMoved(
                f"{self._bus} has moved to {url}", hint=f"conductor-git bus read --bus {quote(url)}", url=url
            )
        return BusDamaged(
            f"{self._bus} takes no messages: {self.reason}, and what was written before it may be lost",
            hint="conductor-git bus verify",
            path=str(self._bus),
        )
