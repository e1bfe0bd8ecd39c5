"""Which collisions the bus has been told, so that each is told once for as long as it lasts."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.errors import ConductorError
from conductor_git.layout import Layout

_MOST_BYTES: Final = 16 * 1024 * 1024

Key = tuple[str, str]
"""Two tasks, the smaller id first; or a task and the full ref of its target."""


class Told(NamedTuple):
    """The collisions that were told; `turn` goes up with every change."""

    turn: int = 0
    keys: frozenset[Key] = frozenset()

    def after(self, seen: Collection[Key], unsure: Collection[str]) -> Told:
        """What has been told once `seen` is: what is gone is forgotten, to be told again when it comes back.

        About the `unsure` nothing is forgotten: they could not be looked at in full, which does not end a collision.
        """
        keys = frozenset(seen) | {key for key in self.keys if not set(key).isdisjoint(unsure)}
        return self if keys == self.keys else Told(self.turn + 1, keys)


def read(layout: Layout) -> Told:
    """What is on record; nothing where there is no record or it is damaged, and then all is told again."""
    try:
        document = json.loads(durable.read_regular(layout.foresight / "told.json", _MOST_BYTES))
        return Told(int(document["turn"]), frozenset((str(one), str(other)) for one, other in document["told"]))
    except (OSError, ConductorError, ValueError, KeyError, TypeError):
        return Told()


def write(layout: Layout, told: Told) -> None:
    durable.make_directory(layout.foresight)
    text = json.dumps({"turn": told.turn, "told": sorted(told.keys)})
    durable.replace(layout.foresight / "told.json", text.encode())


def alone(layout: Layout) -> AbstractContextManager[int]:
    """Held by whoever tells, from reading the record to writing it."""
    return durable.lock(layout.locks / "foresight", seconds=120, purpose="conflicts")
