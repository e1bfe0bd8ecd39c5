"""The lease of a target branch: one landing at a time, in order of arrival, freed by the kernel.

Each landing draws a numbered ticket file and holds a lock on it; it has the lease when no lower ticket is held. A
ticket whose holder died is free at once, and its file is swept by whoever passes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from conductor_git import durable
from conductor_git.errors import LockTimeout

_POLL_SECONDS = 0.02


@contextmanager
def lease(
    directory: Path, holder: str, *, seconds: float, waiting: Callable[[str, int], None] = lambda ahead, count: None
) -> Iterator[int]:
    """Hold the lease of the target whose tickets lie in `directory`; yields a descriptor that keeps it held.

    Waits at most `seconds`, calling `waiting(holder_ahead, how_many)` whenever the queue ahead changes, then raises
    `LockTimeout`. Any number of processes may call it at once; they are served in the order of their tickets.
    """
    durable.make_directory(directory)
    with _drawn(directory, holder) as (ticket, descriptor):
        _wait_for_turn(directory, ticket, seconds, waiting)
        yield descriptor


@contextmanager
def _drawn(directory: Path, holder: str) -> Iterator[tuple[Path, int]]:
    # Number and lock are taken under the counter's lock, so no ticket is ever seen before it is held.
    counter = directory.with_name(f"{directory.name}.lock")
    with ExitStack() as stack:
        with durable.lock(counter, purpose="draw a ticket"):
            ticket = directory / f"{_next_number(directory):08d}.{holder}"
            descriptor = stack.enter_context(durable.lock(ticket, purpose=holder))
        stack.callback(ticket.unlink, missing_ok=True)
        yield ticket, descriptor


def _next_number(directory: Path) -> int:
    # Numbers never repeat: a ticket that is being swept must not be taken for a new one of the same name.
    return durable.count_up(directory / "last")


def _tickets(directory: Path) -> list[tuple[int, Path]]:
    found = []
    for path in directory.iterdir():
        number, _, _ = path.name.partition(".")
        if number.isdigit():
            found.append((int(number), path))
    return sorted(found)


def _wait_for_turn(directory: Path, mine: Path, seconds: float, waiting: Callable[[str, int], None]) -> None:
    deadline = time.monotonic() + seconds
    told: tuple[str, int] | None = None
    while ahead := _ahead(directory, mine):
        first = ahead[0].name.partition(".")[2]
        if told != (first, len(ahead)):
            told = (first, len(ahead))
            waiting(*told)
        if time.monotonic() >= deadline:
            raise LockTimeout(
                f"the landing of {first} still holds the target after {seconds:g} s ({len(ahead)} ahead)",
                hint="conductor-git queue",
                path=str(directory),
                seconds=seconds,
                holder=first,
            )
        time.sleep(_POLL_SECONDS)


def _ahead(directory: Path, mine: Path) -> list[Path]:
    """The tickets below `mine`, the first of which is held; those nobody holds are swept when they come to be first.

    Only the first one's lock is asked for: many waiters that each ask for every lock would keep the machine busy.
    """
    ahead = [path for _, path in _tickets(directory)]
    ahead = ahead[: ahead.index(mine)]
    while ahead and not _is_held(ahead[0]):
        ahead.pop(0).unlink(missing_ok=True)
    return ahead


def _is_held(ticket: Path) -> bool:
    with durable.try_lock(ticket) as descriptor:
        return descriptor is None
