"""Publishing: the target ref moves by compare-and-swap, together with the checkout it is in, if it is in one."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from conductor_git import directories
from conductor_git.errors import Blocked
from conductor_git.gitcmd import Git
from conductor_git.landing import checkout as checkouts
from conductor_git.landing.change import Change
from conductor_git.landing.checkout import Checkout
from conductor_git.layout import Layout
from conductor_git.names import CommitId
from conductor_git.worktree import registered_git_dir, worktrees


def checkout_of(git: Git, layout: Layout, ref: str, scratch: Path) -> Checkout | None:
    """The checkout that has `ref` checked out, if any; `Blocked` where two have, or a rebase of it is under way."""
    _refuse_rebase(layout, ref)
    # A worktree whose directory was deleted by hand has no files that could be left behind.
    found = [entry for entry in worktrees(git) if entry.branch_ref == ref and not entry.is_bare and not entry.prunable]
    if len(found) > 1:
        paths = ", ".join(str(entry.path) for entry in found)
        raise Blocked(f"the target is checked out more than once: {paths}", hint="git worktree list", files=[])
    if not found:
        return None
    path = found[0].path
    return Checkout(path, registered_git_dir(layout, path) or layout.common_dir, scratch)


def _refuse_rebase(layout: Layout, ref: str) -> None:
    # A rebase ends with a compare-and-swap of its own on the branch; moving it underneath would fail the person's work.
    for directory in (layout.common_dir, *directories.matching(layout.common_dir, "worktrees/*")):
        for name in ("rebase-merge/head-name", "rebase-apply/head-name"):
            if _said(directory / name) == ref:
                raise Blocked(
                    f"a rebase of {ref.removeprefix('refs/heads/')} is under way ({directory})",
                    hint=f"git -C {shlex.quote(str(_checkout_of(directory)))} rebase --continue",
                    files=[],
                )


def _checkout_of(git_dir: Path) -> Path:
    """The checkout whose git dir this is: a linked worktree's names it, the main one's lies in it."""
    return Path(_said(git_dir / "gitdir") or git_dir).parent


def _said(file: Path) -> str:
    """What a file of git's holds; nothing where it is not there, or not there any more."""
    try:
        return file.read_text("utf-8", "surrogateescape").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def publish(
    git: Git,
    checkout: Checkout | None,
    ref: str,
    before: CommitId,
    after: CommitId,
    listed: Sequence[Change],
    reflog: str,
) -> None:
    """Move `ref` from `before` to `after`, which differ in `listed`. Durable once the file system is synced; a refusal
    (`Blocked`, `GitFailed`) moved nothing."""
    if checkout is None:
        git.run("update-ref", "--no-deref", "-m", reflog, ref, after, before)
    else:
        checkouts.fast_forward(git, checkout, ref, before, after, listed, reflog)
