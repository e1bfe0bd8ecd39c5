"""Whether a target holds all that a branch brings: by ancestry, by its tree, by its patches. Reads only."""

from __future__ import annotations

from typing import Final

from conductor_git.errors import Conflict, GitFailed, GitKilled
from conductor_git.gitcmd import Git
from conductor_git.history import is_contained, tree_at
from conductor_git.integration import scratch_objects
from conductor_git.landing.mergetree import merged_tree
from conductor_git.names import CommitId

_MOST_PATHS: Final = 500
"""A patch over more files is not looked for: the paths are arguments of a command."""
_PLAIN: Final = ("--no-ext-diff", "--no-textconv", "--no-renames", "--full-index", "--binary")


def how_merged(integration: Git, tip: CommitId, target: CommitId, name: str) -> str:
    """In words, how the target called `name`, at `target`, holds what is at `tip`; empty where it does not.

    All but ancestry leave commits behind that no branch holds, so whoever drops the branch keeps them otherwise.
    """
    if is_contained(integration, tip, target):
        return f"{name} holds its commits"
    try:
        if _adds_nothing(integration, tip, target):
            return f"merging it would change nothing in {name}"
    except Conflict:
        return _by_patch(integration, tip, target, name)
    return _by_patch(integration, tip, target, name)


def _adds_nothing(integration: Git, tip: CommitId, target: CommitId) -> bool:
    with scratch_objects(integration) as scratch:
        return merged_tree(scratch, target, tip) == tree_at(integration, target)


def _by_patch(integration: Git, tip: CommitId, target: CommitId, name: str) -> str:
    base = integration.run("merge-base", target, tip, ok=(0, 1)).text
    if not base:
        return ""
    if _each_is_there(integration, tip, target):
        return f"{name} has each of its commits as a patch"
    return f"{name} has a commit with the same patch" if _whole_is_there(integration, base, tip, target) else ""


def _each_is_there(integration: Git, tip: CommitId, target: CommitId) -> bool:
    """Every commit by itself; a merge can hold what neither side had, and no patch says so."""
    if integration.run("rev-list", "--merges", "--count", f"{target}..{tip}").text != "0":
        return False
    missing = ("--cherry-pick", "--right-only", "--no-merges", "--max-count=1")
    return not integration.run("rev-list", *missing, f"{target}...{tip}").out


def _whole_is_there(integration: Git, base: str, tip: CommitId, target: CommitId) -> bool:
    """The branch as one patch, as a squash leaves it, among the commits of the target that touch the same files."""
    whole = integration.run("diff-tree", "-p", *_PLAIN, base, tip).out
    paths = integration.run("diff-tree", "-r", "--name-only", "--no-renames", "-z", base, tip).fields
    ids = _patch_ids(integration, whole)
    if not ids or len(paths) > _MOST_PATHS:
        return False
    literal = [f":(top,literal){path}" for path in paths]
    try:
        commits = integration.run("rev-list", "--no-merges", f"{base}..{target}", "--", *literal).out
    except GitKilled:
        raise
    except GitFailed:  # more paths than an argument list takes
        return False
    patches = integration.run("diff-tree", "--stdin", "-p", *_PLAIN, stdin=commits).out
    return bool(ids & _patch_ids(integration, patches))


def _patch_ids(integration: Git, patches: bytes) -> set[str]:
    return {line.partition(" ")[0] for line in integration.run("patch-id", "--stable", stdin=patches).lines}
