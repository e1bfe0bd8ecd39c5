"""A target and its branch on a remote: pushed plainly, and joined with what the remote has gained, never forced."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from conductor_git import configguard
from conductor_git.environment import inherited
from conductor_git.errors import BaseNotFound, ConductorError, GitFailed, GitKilled
from conductor_git.gitcmd import GitDone
from conductor_git.history import is_contained, tip_of
from conductor_git.integration import shared_config
from conductor_git.masking import MASK, mask, secret_values
from conductor_git.names import CommitId
from conductor_git.project import Project

ROUNDS: Final = 3
"""How often we push before we leave a remote that keeps moving to the next landing."""
SECONDS: Final = 300.0
_WORDS: Final = 2000
_MOVED: Final = re.compile(
    r"\[rejected\] \((fetch first|non-fast-forward|stale info)\)"
    r"|\[remote rejected\] \(.*(cannot lock ref|failed to update ref|incorrect old value|reference already exists)"
)
_PUSH: Final = ("--porcelain", "--no-follow-tags", "--recurse-submodules=no")
_FETCH: Final = (
    "--quiet", "--no-tags", "--no-prune", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance",
    "--refmap=",
)  # fmt: skip
_USERINFO: Final = re.compile(r"(?<=://)(?!git@)[^/@\s]+(?=@)")

Join = Callable[[CommitId], CommitId]
"""Bring the given commit of the remote onto the target by the steps of a landing; returns the target's new tip."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a push: `rejected` is what was said against it, empty where the remote has `tip` now.

    `joined` are the remote's commits that were brought onto the target on the way, one for each round.
    """

    tip: CommitId
    rejected: str = ""
    joined: tuple[CommitId, ...] = ()


def push_target(project: Project, remote: str, target_ref: str, join: Join, *, seconds: float = SECONDS) -> Pushed:
    """Push the commit that `target_ref` is at to the same ref of `remote`, never forced.

    Where the remote has moved, its branch is fetched into a ref of ours, `join` puts it on the target, and it is
    pushed again, `ROUNDS` times at most. Neither side ever moves backwards, and nothing is raised for what a remote, a
    config that changed or `join` has against it: the landing stands, and `rejected` says why it is here only.
    `GitKilled` by `join` passes. Runs no hook of the project, `pre-push` neither; asks nobody for credentials.
    """
    tip = tip_of(project.git, target_ref)
    if tip is None:
        raise BaseNotFound(f"{target_ref} does not exist any more", hint="git branch --list", target=target_ref)
    joined: list[CommitId] = []
    for last in (*[False] * (ROUNDS - 1), True):
        try:
            said = _push(project, remote, target_ref, tip, seconds)
            if not said or last or not _MOVED.search(said):
                return Pushed(tip, plain(said), tuple(joined))
            theirs = _fetch(project, remote, target_ref, seconds)
        except ConductorError as refused:
            return Pushed(tip, plain(refused.message), tuple(joined))
        if is_contained(project.git, theirs, tip):
            continue  # it was another push's lock that ours ran into
        try:
            tip = join(theirs)
        except GitKilled:
            raise
        except ConductorError as refused:
            why = f"{remote} has commits of its own, and they do not join: {refused.message}"
            return Pushed(tip, plain(why), tuple(joined))
        joined.append(theirs)
    raise AssertionError("the last round returns")


def _push(project: Project, remote: str, ref: str, tip: CommitId, seconds: float) -> str:
    """What the remote said against `tip`, empty where it has it now."""
    configguard.require_all_agreed(project.layout, shared_config(project.git))
    done = project.git.talk("push", *_PUSH, "--end-of-options", remote, f"{tip}:{ref}", seconds=seconds)
    return _said(done) if done.code else ""


def _fetch(project: Project, remote: str, ref: str, seconds: float) -> CommitId:
    """The tip of `ref` on `remote`, its commits fetched into a ref of ours; no ref of the person's moves."""
    private = f"refs/conductor/remotes/{remote}/{ref.removeprefix('refs/heads/')}"
    done = project.git.talk("fetch", *_FETCH, "--end-of-options", remote, f"+{ref}:{private}", seconds=seconds)
    if done.code:
        raise GitFailed(_said(done), hint=f"git fetch {remote}")
    return CommitId(project.git.run("rev-parse", "--verify", "--end-of-options", private).text)


def _said(done: GitDone) -> str:
    text = b"\n".join((done.out, done.err)).decode("utf-8", "replace")
    # Of the porcelain lines only those of refused refs tell anything.
    lines = [line for line in text.splitlines() if line and not line.startswith(("To ", "Done", " \t", "=\t", "*\t"))]
    return "\n".join(line.removeprefix("!\t").strip() for line in lines) or f"git ended with exit code {done.code}"


def plain(words: str) -> str:
    """What a remote said, fit to be kept and shown: no control characters, no secret, not without end."""
    text = "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in words)
    return mask(_USERINFO.sub(MASK, text), secret_values(inherited()))[:_WORDS].strip()
