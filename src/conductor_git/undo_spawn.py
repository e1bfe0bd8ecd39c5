"""Taking back a spawn that did not come to its end: what it made, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from conductor_git import configguard, directories, durable, gitlocks, integration, leases
from conductor_git.gitdir import git_dir_at
from conductor_git.history import tip_of
from conductor_git.names import CommitId, TaskId
from conductor_git.pool.entry import clear_taken
from conductor_git.processtable import standing_in
from conductor_git.project import Project
from conductor_git.worktree import (
    begin_removal,
    is_half_removed,
    registered_git_dir,
    registrations,
    uncommitted,
)

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_only_a_spawns(project: Project, facts: Mapping[str, Any]) -> bool:
    """Whether what `facts` name is what a killed spawn of this repository left, with nobody's work in it.

    For facts that were read from the disk: they may be damaged, or come with a copy of another repository's state, or
    with yesterday's of this one, and name what a person made or a worker has worked in since. False is to leave all.
    """
    if not _are_whole(facts):
        return False
    path, ref, base = Path(facts["worktree"]), f"refs/heads/{facts['branch']}", facts["base_commit"]
    if not _is_ours_and_bare_of_work(project, path, ref, base):
        return False
    tip = tip_of(project.git, ref) if facts["new_branch"] else None
    return tip is None or (tip == base and _can_go(project, path, ref, base))


def _are_whole(facts: Mapping[str, Any]) -> bool:
    path, parents = facts.get("worktree"), facts.get("new_directories", [])
    if not isinstance(path, str) or not Path(path).is_absolute() or os.path.normpath(path) != path:
        return False
    return (
        isinstance(parents, list)
        and {*parents} <= {str(parent) for parent in Path(path).parents}
        and isinstance(facts.get("branch"), str)
        and isinstance(facts.get("new_branch"), bool)
        and _COMMIT.fullmatch(str(facts.get("base_commit"))) is not None
    )


def _is_ours_and_bare_of_work(project: Project, path: Path, ref: str, base: str) -> bool:
    """A worktree of this repository in which nothing was changed or committed, and no process is; or nothing at all."""
    if path.is_symlink() or (os.path.lexists(path) and not path.is_dir()):
        return False
    git_dir = _git_dir_of(project, path)
    if git_dir is None:
        return not path.is_dir() or not any(path.iterdir())
    if is_half_removed(git_dir):
        return True  # by a kill in here
    return (
        _has_head_of(project, git_dir, ref) and not standing_in(path) and not _has_changes(project, path, git_dir, base)
    )


def _has_changes(project: Project, path: Path, git_dir: Path, base: str) -> bool:
    """Against HEAD, in the files or in the index; ignored files do not count."""
    if not (git_dir / "index").is_file():
        return False  # git was killed before it had written the files
    inside = replace(project.git, cwd=git_dir, git_dir=git_dir)
    if not path.is_dir():
        return inside.run("diff-index", "--cached", "--quiet", "HEAD", ok=(0, 1)).code == 1
    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    head = tip_of(inside, "HEAD") or CommitId(base)
    return bool(uncommitted(looking, project.layout, path, head, git_dir))


def _git_dir_of(project: Project, path: Path) -> Path | None:
    """As the registration says, or the worktree's `.git`: of one from the pool a kill can leave the two apart."""
    named = git_dir_at(path)
    is_here = named is not None and named.is_linked and named.common == project.layout.common_dir.resolve()
    return registered_git_dir(project.layout, path) or (named.path if named is not None and is_here else None)


def _has_head_of(project: Project, git_dir: Path, ref: str) -> bool:
    """On the branch, or detached at a commit that some ref holds; at first git has none there, then one of zeros."""
    head = _head(git_dir)
    if not _COMMIT.fullmatch(head) or not head.strip("0"):
        return not head.strip("0") or head == f"ref: {ref}"
    return bool(project.git.run("for-each-ref", "--count=1", f"--contains={head}", ok=(0, 129)).out)


def _can_go(project: Project, path: Path, ref: str, base: str) -> bool:
    """The branch is checked out nowhere else, never was at another commit, and something else holds `base`.

    `git worktree list` is not asked: it fails for what a kill of `git worktree add` leaves.
    """
    heads = {_head(git_dir) for git_dir in _other_git_dirs(project, path)}
    if f"ref: {ref}" in heads:
        return False
    logged = project.git.run("reflog", "show", "--format=%H", ref, ok=(0, 128)).lines
    holders = project.git.run("for-each-ref", "--format=%(refname)", f"--contains={base}").lines
    return {*logged} <= {base} and (base in heads or any(one != ref for one in holders))


def _other_git_dirs(project: Project, path: Path) -> Iterator[Path]:
    common = project.layout.common_dir
    mine = {*registrations(common, path), _git_dir_of(project, path)}
    yield common
    yield from (git_dir for git_dir in directories.matching(common, "worktrees/*") if git_dir not in mine)


def _head(git_dir: Path) -> str:
    try:
        return durable.read_regular(git_dir / "HEAD", 4096).decode("utf-8", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def remove_half_made(project: Project, task_id: TaskId, facts: Mapping[str, Any], *, killed: bool) -> None:
    """Remove the worktree, the branch and the task folder that the spawn with these `facts` made. Safe to repeat.

    With `killed`, the locks that a killed git process left go too; without, a lock that is there is somebody else's.
    The facts were written when none of the three existed, and no agent was started, so nothing in them is anybody's
    work; a branch that has moved since is left alone all the same. Facts that were read from the disk are believed
    only where `is_only_a_spawns`. Call it with the task's lock held.
    """
    layout, path, ref = project.layout, Path(facts["worktree"]), f"refs/heads/{facts['branch']}"
    durable.remove(layout.run_info(task_id))  # first: from here on there is no such task, whatever a kill leaves
    _remove_worktree(project, path)
    with durable.lock(layout.worktree_lock, seconds=60, purpose="undo spawn"):
        if killed:
            gitlocks.clear(layout, gitlocks.ref_locks(layout, ref), label=task_id)
        for git_dir in registrations(layout.common_dir, path):
            shutil.rmtree(git_dir)
    for directory in facts.get("new_directories", ()):
        with suppress(OSError):
            Path(directory).rmdir()  # only when it is empty: a neighbour may have moved in
    if facts["new_branch"] and tip_of(project.git, ref) == facts["base_commit"]:
        project.git.run("update-ref", "--no-deref", "-d", ref, CommitId(facts["base_commit"]))
    leases.free(layout, task_id)
    clear_taken(layout)
    if layout.task(task_id).is_dir():
        shutil.rmtree(layout.task(task_id))


def _remove_worktree(project: Project, path: Path) -> None:
    """Its files go before its registration, by which they are known to be ours after a kill."""
    if path.is_dir() and not path.is_symlink():
        git_dir = _git_dir_of(project, path)
        if git_dir is not None:
            begin_removal(git_dir)
        shutil.rmtree(path)
