"""What differs between two commits, path by path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conductor_git.gitcmd import Git
from conductor_git.names import CommitId


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between two trees; the mode is 000000 where a tree has no such path."""

    path: str
    old_mode: str
    new_mode: str
    new_blob: str


def changes(git: Git, before: CommitId, after: CommitId) -> tuple[Change, ...]:
    return parse_changes(git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", before, after).fields)


def parse_changes(fields: Sequence[str]) -> tuple[Change, ...]:
    """The fields of `git diff-tree -r -z --raw --no-renames`."""
    found = []
    for meta, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, _, new_blob, _ = meta.removeprefix(":").split(" ")
        found.append(Change(path, old_mode, new_mode, new_blob))
    return tuple(found)
