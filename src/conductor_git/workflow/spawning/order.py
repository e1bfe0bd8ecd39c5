"""What a spawn is to make: asked for, decided or refused, before anything is made."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git.bus.address import Address
from conductor_git.config.model import Config
from conductor_git.errors import (
    BadInput,
    BaseNotFound,
    BranchExists,
    NotFound,
    PathExists,
    TaskExists,
    UnsafePath,
)
from conductor_git.ground.files import Files, files_of
from conductor_git.history import Branches, branches
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project, commit_of, require_commits
from conductor_git.runner.calling import require_usable
from conductor_git.settings import bus_address, require_trusted
from conductor_git.workflow.family.bounds import require_parent
from conductor_git.workflow.spawning.ground import BARE, Ground, ground_of
from conductor_git.workflow.spawning.possible import require_possible
from conductor_git.worktree import ALL_FILES

_SURE_NAME: Final = re.compile(
    r"(?!.*\.lock(?:/|$))[a-z0-9][a-z0-9_-]*(?:[./][a-z0-9][a-z0-9_-]*)*", re.ASCII | re.IGNORECASE
)
"""Branch names that git surely accepts; it is asked about others only."""


@dataclass(frozen=True, slots=True)
class Order:
    """What the coordinator asks for; None leaves a choice to the config."""

    task_id: TaskId
    prompt: str = ""
    title: str | None = None
    agent: str | None = None
    command: tuple[str, ...] = ()
    base: str | None = None
    target: str | None = None
    needs: tuple[TaskId, ...] = ()
    reviews_required: int | None = None
    existing: bool = False
    priority: int = 0
    review_of: TaskId | None = None
    """Of a reviewer's task, the one it is to review; see `workflow.spawn_review`."""
    plan: str | None = None
    """The plan that the task is of."""
    fallbacks: tuple[str, ...] = ()
    """The agents that take over, in this order, where `agent` cannot be used."""
    parent_task_id: TaskId | None = None
    """The task whose worker asks: what it spawns is a sub-task, and bounded by the config's `limits`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a spawn will make; `--dry-run` shows it, and only this is executed."""

    task_id: TaskId
    title: str
    prompt: str
    branch: str
    new_branch: bool
    target: str
    base_commit: CommitId
    worktree: Path
    root: Path
    agent: str | None
    command: tuple[str, ...]
    needs: tuple[TaskId, ...]
    reviews_required: int
    bus: Address
    """Where the project's messages go."""
    priority: int = 0
    review_of: TaskId | None = None
    plan: str | None = None
    fallbacks: tuple[str, ...] = ()
    parent_task_id: TaskId | None = None
    quiet_after: float | None = None
    """`limits.quiet_after` of the config; None leaves what was remembered of it."""
    ground: Ground = BARE
    """What the worktree gets beside the commit."""
    files: Files = ALL_FILES
    """Which files the worktree begins with."""
    pool: int = 0
    """How many worktrees the config wants ready; with any, this one comes from there where it can."""

    @property
    def has_agent(self) -> bool:
        return bool(self.command or self.agent)


def plan(project: Project, order: Order, config: Config) -> Plan:
    """Decide what `order` means here, or refuse it before anything is made."""
    require_free(project, order.task_id)
    known = branches(project.git)
    if known.current is None:
        require_commits(project)
    _require_known(project, order.needs)
    agent = agent_name(order, config)
    require_usable(config, order.task_id, [*([agent] if agent else []), *order.fallbacks], order.command)
    parent = None if order.parent_task_id is None else require_parent(project, order.parent_task_id)
    target = _target(project, order, parent.target if parent else config.target or known.current, known)
    branch = config.branch.format(task_id=order.task_id, repo=project.name)
    _require_branch_name(project, branch)
    tip = known.tips.get(branch)
    if tip and not order.existing:
        raise BranchExists(
            f"the branch {branch} exists already, at {tip[:10]}",
            hint=f"conductor-git spawn {order.task_id} --existing",
            branch=branch,
            commit=tip,
        )
    if order.existing and not tip:
        raise NotFound(f"there is no branch {branch} to go on with", hint=f"conductor-git spawn {order.task_id}")
    path = free_path(project, config, order.task_id)
    base = _base(project, order.base, known.tips[target], tip)
    return Plan(
        task_id=order.task_id,
        title=order.title or _first_line(order.prompt) or order.task_id,
        prompt=order.prompt,
        branch=branch,
        new_branch=tip is None,
        target=target,
        base_commit=base,
        worktree=path,
        root=path.parent,
        agent=agent,
        command=order.command,
        needs=order.needs,
        reviews_required=order.reviews_required or config.reviews_required,
        bus=bus_address(project, config),
        priority=order.priority,
        plan=order.plan,
        fallbacks=order.fallbacks,
        parent_task_id=order.parent_task_id,
        quiet_after=config.limits.quiet_after,
        ground=ground_for(config),
        files=require_possible(project, files_of(config), tip or base),
        pool=config.pool.size,
    )


def ground_for(config: Config) -> Ground:
    """What `config` gives a new worktree; `Untrusted` where it has setup steps that nobody has agreed to here."""
    if config.setup:
        require_trusted(config)
    return ground_of(config)


def require_free(project: Project, task_id: TaskId) -> None:
    if project.layout.run_info(task_id).exists():
        raise _exists(task_id)


def _exists(task_id: TaskId) -> TaskExists:
    return TaskExists(f"task {task_id} exists already", hint=f"conductor-git show {task_id}", task_id=task_id)


def _require_known(project: Project, needs: Iterable[TaskId]) -> None:
    for task_id in needs:
        project.runs.get(task_id)


def agent_name(order: Order, config: Config) -> str | None:
    return order.agent or (Path(order.command[0]).name if order.command else config.agents.default)


def _first_line(prompt: str) -> str:
    return prompt.strip().split("\n", 1)[0][:120]


def _target(project: Project, order: Order, default: str | None, known: Branches) -> str:
    target = order.target if order.target is not None else default
    if target is None:
        raise BadInput(
            f"HEAD of {project.repository} is detached, so there is no branch to land on by default",
            hint=f"conductor-git spawn {order.task_id} --target {_some_branch(known)}",
            task_id=order.task_id,
        )
    if target not in known.tips:
        raise BaseNotFound(f"the target branch {target} does not exist", hint="git branch --list", target=target)
    return target


def _some_branch(known: Branches) -> str:
    return "main" if "main" in known.tips else shlex.quote(min(known.tips, default="main"))


def _require_branch_name(project: Project, branch: str) -> None:
    if _SURE_NAME.fullmatch(branch):
        return
    if branch.startswith("-") or project.git.run("check-ref-format", f"refs/heads/{branch}", ok=(0, 1)).code:
        raise BadInput(
            f"{branch!r} is not a branch name git accepts", hint="git check-ref-format --help", branch=branch
        )


def _base(project: Project, base: str | None, target: CommitId, tip: CommitId | None) -> CommitId:
    if tip is not None:
        merge_base = project.git.run("merge-base", tip, target, ok=(0, 1))
        return CommitId(merge_base.text) if merge_base.code == 0 else tip
    if base is None:
        return target
    try:
        return commit_of(project, base)
    except NotFound as missing:
        raise BaseNotFound(
            f"there is no commit {base!r} to start from", hint="git log --oneline -5", base=base
        ) from missing


def worktree_path(project: Project, config: Config, task_id: TaskId) -> Path:
    """Where the task's worktree goes: outside the repository, so that linters and indexers don't see it twice."""
    relative = config.worktrees.format(task_id=task_id, repo=project.name)
    path = Path(os.path.normpath(project.repository / relative))
    if path.parent.is_symlink():
        raise UnsafePath(
            f"{path.parent} is a symbolic link", hint=f"ls -ld {shlex.quote(str(path.parent))}", path=str(path.parent)
        )
    if path.is_relative_to(project.layout.common_dir) or path == project.repository:
        raise UnsafePath(f"worktrees cannot lie in {path}", hint="conductor-git config check", path=str(path))
    return path


def free_path(project: Project, config: Config, task_id: TaskId) -> Path:
    """`worktree_path`, where nothing is yet."""
    path = worktree_path(project, config, task_id)
    if os.path.lexists(path):
        raise PathExists(
            f"{path} is there already, and no task of ours uses it",
            hint=f"ls -la {shlex.quote(str(path))}",
            path=str(path),
        )
    return path
