"""What each worker changed by itself, path by path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from conductor_git.gitcmd import Git

Span = tuple[str, str]
"""A commit to compare from, and one to compare with."""

_BREAK: Final = "\x01"
_ABSENT: Final = "000000"


class Changed(NamedTuple):
    """One path that differs; `old` and `new` are object ids, empty where the path was not there, or is not any more."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Own:
    """All that one worker changed since it left its target."""

    paths: frozenset[str]
    added: frozenset[str]
    removed: frozenset[str]
    old_objects: frozenset[str]
    """Of what was removed."""
    new_objects: frozenset[str]


def own(changes: Iterable[Changed]) -> Own:
    found = tuple(changes)
    removed = [change for change in found if not change.new]
    return Own(
        paths=frozenset(change.path for change in found),
        added=frozenset(change.path for change in found if not change.old),
        removed=frozenset(change.path for change in removed),
        old_objects=frozenset(change.old for change in removed),
        new_objects=frozenset(change.new for change in found if change.new),
    )


def changes(git: Git, spans: Iterable[Span]) -> dict[Span, tuple[Changed, ...]]:
    """What differs in each span, all in one process. Renames are told as a path that went and one that came."""
    wanted = sorted(set(spans))
    if not wanted:
        return {}
    # `--stdin` takes a commit and the parent to compare it with, whether or not it is one.
    stdin = "".join(f"{new} {old}\n" for old, new in wanted).encode()
    how = ("-r", "-z", "--raw", "--no-renames", "--always", "--format=%x01")
    listed = git.run("diff-tree", "--stdin", *how, stdin=stdin).fields
    return dict(zip(wanted, parse(listed), strict=True))


def parse(fields: Sequence[str]) -> Iterator[tuple[Changed, ...]]:
    """The fields of `git diff-tree --stdin -r -z --raw --no-renames --always --format=%x01`, one tuple a line of input.

    A path may be the break itself: what a field is, its place says.
    """
    found: list[Changed] = []
    place = 1
    while place < len(fields):
        if fields[place] == _BREAK:
            yield tuple(found)
            found = []
            place += 1
            continue
        found.append(_changed(fields[place].lstrip("\n:"), fields[place + 1]))
        place += 2
    yield tuple(found)


def _changed(meta: str, path: str) -> Changed:
    old_mode, new_mode, old, new, _ = meta.split(" ")
    return Changed(path, "" if old_mode == _ABSENT else old, "" if new_mode == _ABSENT else new)
