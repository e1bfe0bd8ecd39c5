"""What lies between two commits, worked out once in a process: commits never change, so neither does the answer.

Any thread may ask. Once more than `_MOST` answers are known, all are forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from conductor_git import history
from conductor_git.gitcmd import Git

Pair = tuple[str, str]
T = TypeVar("T")
_MOST: Final = 20_000
_apart: dict[Pair, tuple[int, int]] = {}
_changed: dict[Pair, int] = {}


def apart(git: Git, pairs: Iterable[Pair]) -> dict[Pair, tuple[int, int]]:
    """As `history.apart`, which is asked for what is not known yet."""
    return _known(_apart, pairs, lambda missing: history.apart(git, missing))


def changed_counts(git: Git, pairs: Iterable[Pair]) -> dict[Pair, int]:
    """As `history.changed_counts`, likewise."""
    return _known(_changed, pairs, lambda missing: history.changed_counts(git, missing))


def _known(memory: dict[Pair, T], pairs: Iterable[Pair], ask: Callable[[set[Pair]], dict[Pair, T]]) -> dict[Pair, T]:
    wanted = set(pairs)
    found = {pair: known for pair in wanted if (known := memory.get(pair)) is not None}
    if missing := wanted - found.keys():
        answer = ask(missing)
        if len(memory) > _MOST:
            memory.clear()
        memory.update(answer)
        found |= answer
    return found
