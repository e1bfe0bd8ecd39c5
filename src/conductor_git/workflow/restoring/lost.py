"""What can be brought back: every salvage ref, and every task whose worktree or branch is gone. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conductor_git.errors import BadRecord
from conductor_git.gitcmd import Git
from conductor_git.history import changed_counts, objects, tips_of
from conductor_git.names import CommitId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.salvage.kept import Salvaged, salvaged
from conductor_git.worktree import registered_git_dir


@dataclass(frozen=True, slots=True)
class Kept:
    """A salvage ref and how many files it holds beside those of its commit."""

    salvaged: Salvaged
    files: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A task whose worktree or branch is gone; `commit` would bring it back, None where nothing holds one."""

    run: Run
    has_branch: bool
    has_worktree: bool
    commit: CommitId | None
    source: str
    """What names the commit: `branch`, `head_commit`, `merge_commit`, `salvage` or `base_commit`."""


@dataclass(frozen=True, slots=True)
class Lost:
    kept: tuple[Kept, ...]
    removed: tuple[Removed, ...]


def lost(project: Project) -> Lost:
    """Everything that `restore` can bring back, salvage refs oldest first, tasks by id."""
    refs = salvaged(project.git)
    pairs = [(one.head, one.commit) for one in refs if one.note is not None]
    counts = dict(zip(sorted(set(pairs)), _counts(project.git, pairs), strict=True))
    kept = tuple(Kept(one, counts.get((one.head, one.commit), 0)) for one in refs)
    return Lost(kept, tuple(_removed(project, refs)))


def _counts(git: Git, pairs: list[tuple[CommitId, CommitId]]) -> list[int]:
    found = changed_counts(git, pairs)
    return [found[pair] for pair in sorted(set(pairs))]


def _removed(project: Project, refs: tuple[Salvaged, ...]) -> Iterator[Removed]:
    runs = [run for run in project.runs.scan() if not isinstance(run, BadRecord)]
    tips = tips_of(project.git, (run.branch_ref for run in runs if run.branch))
    for run in runs:
        tip = tips.get(run.branch_ref)
        there = has_worktree(project, run)
        if there and (tip is not None or not has_branch(run)):
            continue
        mine = tuple(one for one in refs if one.task_id == run.task_id)
        commit, source = (CommitId(tip), "branch") if tip else last_known(project.git, run, mine)
        yield Removed(run, tip is not None, there, commit, source)


def has_branch(run: Run) -> bool:
    """A reviewer's task has none."""
    return bool(run.branch) and run.review_of is None


def has_worktree(project: Project, run: Run) -> bool:
    path = Path(run.worktree)
    return path.is_dir() and registered_git_dir(project.layout, path) is not None


def last_known(git: Git, run: Run, refs: tuple[Salvaged, ...]) -> tuple[CommitId | None, str]:
    """The commit that the branch was last known to be at, of those that are still in the store, and what names it."""
    named = [
        (run.head_commit, "head_commit"),
        (f"{run.merge_commit}^2" if run.merge_commit else None, "merge_commit"),
        *((one.head, "salvage") for one in reversed(refs) if one.note is None or one.note.head == run.branch_ref),
        (run.base_commit, "base_commit"),
    ]
    wanted = [(revision, source) for revision, source in named if revision]
    found = objects(git, *(f"{revision}^{{commit}}" for revision, _ in wanted))
    for (_, source), commit in zip(wanted, found, strict=True):
        if commit is not None and commit.kind == "commit":
            return CommitId(commit.name), source
    return None, ""
