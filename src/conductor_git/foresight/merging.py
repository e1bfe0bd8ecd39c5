"""Many merges in memory, in as few git processes as there are processors."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from conductor_git.errors import GitFailed
from conductor_git.gitcmd import Git

Pair = tuple[str, str]
_CONFLICTED: Final = "0"
_KIND: Final = re.compile(r"CONFLICT \((.*)\)")
_WORTH_A_PROCESS: Final = 100
_ENDS: Final = (0, 1, 128, 129, 255)
"""How `merge-tree --stdin` ends where it is not killed; what it printed until then counts."""


class Clash(NamedTuple):
    """One path that a merge cannot settle, with what stands there in the base, in the first and in the second commit
    (object ids, empty where nothing does), the paths that git names with it, and how git calls the conflict."""

    path: str
    base: str
    first: str
    second: str
    near: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


Clashes = tuple[Clash, ...]
"""What stands in the way of one merge; nothing where it is clean."""


def merges(git: Git, pairs: Iterable[Pair]) -> dict[Pair, Clashes]:
    """The three-way merge of each pair, with its real merge base. A pair that git cannot merge is left out.

    A git without `merge-tree --stdin` (before 2.39) is started once for each pair.
    """
    wanted = sorted(set(pairs))
    if not wanted:
        return {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        parts = pool.map(lambda part: dict(_batch(git, part)), _parts(wanted))
        found = {pair: clashes for part in parts for pair, clashes in part.items()}
    # One pair that git stumbles over takes those behind it along: they are tried again by themselves.
    return found | dict(_singly(git, [pair for pair in wanted if pair not in found]))


def _parts(pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
    count = max(1, min(os.cpu_count() or 1, len(pairs) // _WORTH_A_PROCESS))
    size = -(-len(pairs) // count) or 1
    return [pairs[start : start + size] for start in range(0, len(pairs), size)]


def _batch(git: Git, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Clashes]]:
    stdin = "".join(f"{one} {other}\n" for one, other in pairs).encode()
    done = git.run("merge-tree", "--write-tree", "--stdin", stdin=stdin, ok=_ENDS)
    return zip(pairs, parse(done.fields, pairs), strict=False)


def _singly(git: Git, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Clashes]]:
    for pair in pairs:
        try:
            done = git.run("merge-tree", "--write-tree", "-z", "--messages", *pair, ok=(0, 1))
        except GitFailed:
            continue
        if done.code == 0:
            yield pair, ()
        else:
            yield from zip([pair], parse([_CONFLICTED, *done.fields, ""], [pair]), strict=True)


def parse(fields: Sequence[str], pairs: Sequence[Pair]) -> Iterator[Clashes]:
    """The fields of `git merge-tree --write-tree --stdin` for `pairs`; ends with the last whole answer.

    An answer is a status, a tree, `mode id stage<TAB>path` for each entry in conflict and an empty field; where there
    is a conflict also the messages (a count, so many paths, the kind, the text) and another empty field.
    """
    place = 0
    for one, other in pairs:
        try:
            conflicted = fields[place] == _CONFLICTED
            end = fields.index("", place + 2)
            entries = fields[place + 2 : end]
            told: list[tuple[str, tuple[str, ...]]] = []
            if conflicted:
                told, end = _messages(fields, end + 1)
        except (IndexError, ValueError):
            return
        yield _clashes(entries, told, (one, other)) if conflicted else ()
        place = end + 1


def _messages(fields: Sequence[str], place: int) -> tuple[list[tuple[str, tuple[str, ...]]], int]:
    """The kind and the paths of each message from `place` on, and where the empty field behind them is."""
    told = []
    while fields[place]:
        count = int(fields[place])
        told.append((fields[place + count + 1], tuple(fields[place + 1 : place + count + 1])))
        place += count + 3
    return told, place


def _clashes(entries: Sequence[str], told: Sequence[tuple[str, tuple[str, ...]]], pair: Pair) -> Clashes:
    stages: dict[str, dict[str, str]] = {}
    for entry in entries:
        facts, _, path = entry.partition("\t")
        _, name, stage = facts.split(" ")
        stages.setdefault(_real(path, pair), {})[stage] = name
    groups = [
        (kind[1], tuple(_real(path, pair) for path in paths)) for text, paths in told if (kind := _KIND.fullmatch(text))
    ]
    # What git sees only in the shape of directories has no entry.
    stages = stages or {path: {} for _, paths in groups for path in paths} or {"": {}}
    return tuple(_clash(path, ids, groups) for path, ids in sorted(stages.items()))


def _clash(path: str, ids: dict[str, str], groups: Sequence[tuple[str, tuple[str, ...]]]) -> Clash:
    mine = [(kind, paths) for kind, paths in groups if path in paths]
    near = tuple(sorted({other for _, paths in mine for other in paths} - {path}))
    kinds = tuple(sorted({kind for kind, _ in mine}))
    return Clash(path, ids.get("1", ""), ids.get("2", ""), ids.get("3", ""), near, kinds)


def _real(path: str, pair: Pair) -> str:
    """The path without what git adds to a file that stands in the way of a directory: `~`, the commit, a number."""
    for commit in pair:
        name, mark, rest = path.rpartition(f"~{commit}")
        if mark and re.fullmatch(r"(_\d+)?", rest):
            return name
    return path
