"""What git has written down about linked worktrees: the entries under `worktrees/`, and the `.git` files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import directories, durable, gitdir
from conductor_git.context import LIMIT, WorkerContext, decode
from conductor_git.errors import ConductorError
from conductor_git.layout import CANONICAL_CONTEXT_NAME, Layout
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.restoring.lost import has_branch

_HEAD: Final = re.compile(r"ref: refs/\S+|[0-9a-f]{40}|[0-9a-f]{64}")


class Entry(NamedTuple):
    """One directory under `worktrees/`; `path` is None where it does not say which worktree it is of."""

    git_dir: Path
    path: Path | None
    context: WorkerContext | None

    @property
    def is_locked(self) -> bool:
        return (self.git_dir / "locked").exists()

    @property
    def is_whole(self) -> bool:
        """git can work with it: it says where the worktree, its HEAD and the repository are."""
        is_linked = (self.git_dir / "commondir").is_file()
        return self.path is not None and is_linked and _HEAD.fullmatch(line(self.git_dir / "HEAD")) is not None


def entries(layout: Layout) -> Iterator[Entry]:
    for git_dir in directories.matching(layout.common_dir, "worktrees/*"):
        if git_dir.is_dir() and not git_dir.is_symlink():
            said = line(git_dir / "gitdir")
            path = Path(os.path.normpath(git_dir / said)).parent if said.endswith("/.git") else None
            yield Entry(git_dir, path, _context(git_dir / CANONICAL_CONTEXT_NAME))


def context_in(path: Path) -> WorkerContext | None:
    """The context in a worktree or in its git dir; None where there is none that can be read."""
    return _context(path)


def _context(path: Path) -> WorkerContext | None:
    try:
        return decode(durable.read_regular(path, LIMIT))
    except (OSError, ConductorError):
        return None


def line(path: Path) -> str:
    """The one line of a small file of git's; empty where there is none."""
    text = gitdir.line(path)
    return "" if "\0" in text else text


def pointed_to(worktree: Path) -> Path | None:
    """The git dir that the `.git` file of `worktree` names, whether or not it is there."""
    label, _, value = line(worktree / ".git").partition(": ")
    return Path(os.path.normpath(worktree / value)) if label == "gitdir" and value else None


def same(one: Path | None, other: Path | None) -> bool:
    """Both name one place, behind whatever links."""
    return one is not None and other is not None and os.path.realpath(one) == os.path.realpath(other)


def join(project: Project, git_dir: Path, path: Path) -> None:
    """Let the entry `git_dir` and the worktree `path` name each other. Call it with the worktrees' lock held."""
    durable.replace(git_dir / "gitdir", os.fsencode(f"{path / '.git'}\n"))
    if not (git_dir / "commondir").is_file():
        durable.replace(git_dir / "commondir", b"../..\n")
    durable.replace(path / ".git", os.fsencode(f"gitdir: {project.layout.common_dir / 'worktrees' / git_dir.name}\n"))


def register(project: Project, run: Run, path: Path) -> Path:
    """Make or complete the entry of the worktree `path` of `run`, whose files are not touched; returns it.

    What was staged is lost where the entry is: its index then is that of the commit, and the files count as changed.
    Call it with the worktrees' lock held.
    """
    git_dir = _entry_for(project, path)
    durable.make_directory(git_dir)
    if not _HEAD.fullmatch(line(git_dir / "HEAD")):
        head = f"ref: {run.branch_ref}" if has_branch(run) else run.base_commit
        durable.replace(git_dir / "HEAD", f"{head}\n".encode())
    join(project, git_dir, path)
    if not (git_dir / "index").is_file():
        at_home = replace(project.git, cwd=path, git_dir=git_dir, work_tree=path)
        at_home.run("read-tree", "HEAD")
    return git_dir


def _entry_for(project: Project, path: Path) -> Path:
    """The entry that the worktree names, if it is one of this repository and nobody else's; otherwise a new one."""
    common = project.layout.common_dir / "worktrees"
    named = pointed_to(path)
    taken = {entry.git_dir.name for entry in entries(project.layout) if entry.path not in (None, path)}
    if named is not None and same(named.parent, common) and named.name not in taken:
        return common / named.name
    names = (path.name, *(f"{path.name}{number}" for number in range(1, 1000)))
    mine = {entry.git_dir.name for entry in entries(project.layout) if _is_of(entry, path)}
    return common / next(name for name in names if name in mine or not (common / name).exists())


def _is_of(entry: Entry, path: Path) -> bool:
    """It says that it is of this worktree; or nothing, and its context says so."""
    return entry.path == path or (entry.path is None and entry.context is not None and entry.context.worktree == path)
