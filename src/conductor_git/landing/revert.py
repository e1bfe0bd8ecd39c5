"""The commit that takes a landing back, computed in memory: the target goes on, nothing is moved backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conductor_git.gitcmd import Git
from conductor_git.history import tree_at
from conductor_git.landing.change import changes
from conductor_git.landing.mergetree import Merged, commit_tree, merged_tree
from conductor_git.names import CommitId


@dataclass(frozen=True, slots=True)
class Revert:
    """Take what lies between `landed_on` and `landed` out of `target`."""

    target: CommitId
    landed: CommitId
    landed_on: CommitId
    message: str
    trailers: tuple[str, ...]
    signs: bool = False


def revert(git: Git, plan: Revert) -> Merged:
    """Make the commit that `plan` asks for on top of its target; `target` itself where nothing is left to take back.

    A three-way merge with the landed commit as the base, so that everything that landed since stays; what touched the
    same lines since is a `Conflict`. Writes objects only.
    """
    base = commit_tree(git, tree_at(git, plan.landed), [], "base")
    ours = commit_tree(git, tree_at(git, plan.target), [base], "ours")
    theirs = commit_tree(git, tree_at(git, plan.landed_on), [base], "theirs")
    merged = merged_tree(git, ours, theirs)
    if merged == tree_at(git, plan.target):
        return Merged(plan.target, ())
    commit = commit_tree(git, merged, [plan.target], _text(plan.message, plan.trailers), signs=plan.signs)
    return Merged(commit, changes(git, plan.target, commit))


def reapplied(git: Git, undone: CommitId, message: str, trailers: Sequence[str], *, signs: bool = False) -> CommitId:
    """A commit on top of `undone`, a reverting commit, that brings back what it took away.

    Work goes on from here: the commits that had landed are in the history of the target, and merging them once more
    would bring nothing.
    """
    return commit_tree(git, tree_at(git, f"{undone}^"), [undone], _text(message, trailers), signs=signs)


def _text(message: str, trailers: Sequence[str]) -> str:
    return f"{message}\n\n" + "\n".join(trailers) + "\n"
