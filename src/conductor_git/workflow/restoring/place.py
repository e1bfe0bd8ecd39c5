"""The place of a restore: a worktree appears there whole, by one rename, or does not appear.

While one is made, `tasks/TASK/restoring.json` says what is being made, so that the next command after a kill takes
back what is not in its place yet. Nothing of that was in sight, so nobody's work can be in it.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import configguard, durable, integration, worktree
from conductor_git.errors import ConductorError, GitKilled, InTheWay
from conductor_git.ground.files import files_of, narrow
from conductor_git.ground.submodules import populate
from conductor_git.history import tip_of
from conductor_git.layout import CONTEXT_NAME
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project
from conductor_git.run import Run, utcnow
from conductor_git.salvage import modules
from conductor_git.salvage.keep import salvage
from conductor_git.settings import project_config
from conductor_git.workflow.restoring.build import Built
from conductor_git.workflow.restoring.plan import Plan
from conductor_git.workflow.spawn import write_context
from conductor_git.workflow.spawning.ground import lend_as_configured

_WHY: Final = "restore put another worktree in its place"


@dataclass(frozen=True, slots=True)
class Making:
    """What a restore has under its hands, as `restoring.json` has it."""

    path: Path
    staging: Path
    branch: str
    commit: str
    is_task: bool
    had_path: bool

    def document(self) -> bytes:
        return json.dumps(
            {
                "path": str(self.path),
                "staging": str(self.staging),
                "branch": self.branch,
                "commit": self.commit,
                "is_task": self.is_task,
                "had_path": self.had_path,
            }
        ).encode()


@contextmanager
def making(project: Project, wanted: Plan) -> Iterator[Making]:
    """A staging directory beside the place of `wanted`; what is not in its place when the block fails is taken back."""
    path = wanted.path
    now = Making(
        path,
        path.with_name(f".{path.name}.restoring-{secrets.token_hex(4)}"),
        wanted.makes_branch,
        wanted.branch_commit or "",
        wanted.is_task,
        path.is_dir() and not wanted.replaces,
    )
    durable.make_directory(path.parent)
    durable.write_through(project.layout.restoring(wanted.task_id), now.document())
    now.staging.mkdir()
    try:
        yield now
    except GitKilled:
        raise  # its locks lie there: the next command takes back what there is
    except (ConductorError, OSError):
        take_back(project, wanted.task_id, now)
        raise
    _forget(project, wanted.task_id)


def publish(project: Project, run: Run, wanted: Plan, now: Making, built: Built) -> None:
    """Register the worktree, give it index and context, and put the staged files in its place."""
    git = project.git
    if now.branch:
        git.run("update-ref", "--no-deref", "-m", "conductor-git: restore", now.branch, now.commit, "")
    if wanted.replaces:
        _remove_empty(project, wanted)
    place = (wanted.branch.removeprefix("refs/heads/"),) if wanted.branch else (wanted.commit,)
    with durable.lock(project.layout.worktree_lock, seconds=60, purpose="git worktree add"):
        how = () if wanted.branch else ("--detach",)
        git.run("worktree", "add", "--quiet", "--no-checkout", *how, str(now.path), *place)
    git_dir = worktree.registered_git_dir(project.layout, now.path)
    assert git_dir is not None
    shutil.copyfile(built.index, git_dir / "index")
    for name, data in built.merging.items():
        (git_dir / name).write_bytes(data)
    (now.path / ".git").replace(now.staging / ".git")
    _take_the_place(now)
    if wanted.is_task:
        lend_as_configured(project, run.task_id, now.path)
        write_context(project, run)
    _fill(project, now.path, git_dir)


def _fill(project: Project, path: Path, git_dir: Path) -> None:
    """Take out what the config leaves out of worktrees, and check the submodules out."""
    files = files_of(project_config(project))
    inside = replace(project.git, cwd=path, git_dir=git_dir, work_tree=path, transports=True)
    narrow(inside, files, durable.lock(project.layout.worktree_lock, seconds=60, purpose="git sparse-checkout"))
    populate(inside, project.layout.common_dir, files.submodules)


def _take_the_place(now: Making) -> None:
    try:
        durable.rename(now.staging, now.path)  # over the empty directory that git made
    except ConductorError as full:
        (now.staging / ".git").replace(now.path / ".git")
        names = sorted(os.listdir(now.path))  # noqa: PTH208 - names, not paths
        raise InTheWay(
            f"{now.path} got something in it meanwhile: {', '.join(names[:5])}",
            hint=f"ls -la {shlex.quote(str(now.path))}",
            path=str(now.path),
            files=names[:50],
        ) from full


def _remove_empty(project: Project, wanted: Plan) -> None:
    git_dir = worktree.registered_git_dir(project.layout, wanted.path)
    assert git_dir is not None
    worktree.require_removable(wanted.path, wanted.path.parent, project.repository)
    has_submodules = bool(modules.links(replace(project.git, cwd=wanted.path, git_dir=git_dir)))
    if has_submodules:
        _keep_submodules(project, wanted, git_dir)
    (wanted.path / CONTEXT_NAME).unlink(missing_ok=True)
    # Into one with submodules git does not look, and asks to be forced.
    worktree.remove(project.git, wanted.path, git_dir, force=has_submodules)


def _keep_submodules(project: Project, wanted: Plan, git_dir: Path) -> None:
    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    at = utcnow()
    salvage(looking, project.git, project.layout, wanted.task_id, wanted.path, at=at, why=_WHY)
    modules.stow(looking, project.git, project.layout, wanted.task_id, git_dir, at=at)


def take_back(project: Project, task_id: TaskId, now: Making) -> None:
    """Remove what the restore made, unless its worktree is in place. Safe to repeat; call it with the task's lock."""
    if now.staging.is_dir():
        _clear_place(project, now)
        shutil.rmtree(now.staging)
        used = {entry.branch_ref for entry in worktree.worktrees(project.git)}
        if now.branch and now.branch not in used and tip_of(project.git, now.branch) == now.commit:
            project.git.run("update-ref", "--no-deref", "-d", now.branch, CommitId(now.commit))
    _forget(project, task_id)


def _clear_place(project: Project, now: Making) -> None:
    """Take away the place that git made, which holds its `.git` file and no more; anything else there stays."""
    git_dir = worktree.registered_git_dir(project.layout, now.path)
    if git_dir is not None and worktree.is_half_removed(git_dir) and now.path.is_dir():
        worktree.remove(project.git, now.path, git_dir, force=True)  # it was looked at, and there was nothing in it
    is_plain = now.path.is_dir() and not now.path.is_symlink()
    if is_plain and not set(os.listdir(now.path)) <= {".git"}:  # noqa: PTH208 - names, not paths
        return
    with durable.lock(project.layout.worktree_lock, seconds=60, purpose="take a restore back"):
        for entry in worktree.registrations(project.layout.common_dir, now.path):
            shutil.rmtree(entry)
    if is_plain:
        (now.path / ".git").unlink(missing_ok=True)
        if not now.had_path:
            now.path.rmdir()


def mend(project: Project, run: Run, at: datetime) -> None:  # noqa: ARG001 - as every mender
    """After a kill: take back what is not in its place, or give its context to what is."""
    now = _read(project, run.task_id)
    if now is None:
        return
    if now.staging.is_dir():
        take_back(project, run.task_id, now)
        return
    if now.is_task and worktree.registered_git_dir(project.layout, now.path) is not None and now.path.is_dir():
        lend_as_configured(project, run.task_id, now.path)
        write_context(project, run)
    _forget(project, run.task_id)


def _forget(project: Project, task_id: TaskId) -> None:
    project.layout.restoring(task_id).unlink(missing_ok=True)


def _read(project: Project, task_id: TaskId) -> Making | None:
    try:
        said: Mapping[str, object] = json.loads(durable.read_regular(project.layout.restoring(task_id), 1 << 16))
        return Making(
            Path(str(said["path"])),
            Path(str(said["staging"])),
            str(said["branch"]),
            str(said["commit"]),
            bool(said["is_task"]),
            bool(said["had_path"]),
        )
    except (FileNotFoundError, ValueError, KeyError):
        return None
