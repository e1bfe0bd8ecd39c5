"""The heads that are compared: where each live worker is, committed or not, and where its target is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from conductor_git.gitcmd import Git
from conductor_git.names import TaskId


class Tip(NamedTuple):
    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class Head:
    """What one worker would bring: `commit` is its branch's tip, or a commit on top of it that holds what it did not
    commit. `note` says why less was looked at than asked for."""

    task_id: TaskId
    target_ref: str
    target: str
    tip: str
    commit: str
    note: str = ""

    @property
    def is_uncommitted(self) -> bool:
        return self.commit != self.tip


def branch_tips(git: Git) -> dict[str, Tip]:
    """Every branch by its full name, with its commit and its tree, in one process."""
    listed = git.run("for-each-ref", "--format=%(refname) %(objectname) %(tree)", "refs/heads/").lines
    return {ref: Tip(commit, tree) for ref, commit, tree in (line.split(" ") for line in listed)}


def spans(heads: Iterable[Head]) -> set[tuple[str, str]]:
    """The pairs of commits whose merge bases tell what each worker did itself."""
    return {(head.tip, head.target) for head in heads}
