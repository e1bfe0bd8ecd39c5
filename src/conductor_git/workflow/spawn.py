"""spawn: a task gets a branch, a worktree and a record, or nothing at all."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final

from conductor_git import configguard, durable, journal, worktree
from conductor_git.actor import Actor
from conductor_git.bus.address import Address
from conductor_git.bus.current import current_address, set_current
from conductor_git.config.model import Config
from conductor_git.context import WorkerContext
from conductor_git.errors import (
    BadInput,
    BaseNotFound,
    BranchExists,
    ConductorError,
    GitKilled,
    NotFound,
    PathExists,
    TaskExists,
    Unfinished,
    UnsafePath,
)
from conductor_git.heartbeat import remember_quiet
from conductor_git.history import Branches, branches, tip_of
from conductor_git.identity import place
from conductor_git.integration import shared_config
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project, commit_of, require_commits
from conductor_git.run import Event, Run, State, Step
from conductor_git.runner.calling import is_launchable, require_usable
from conductor_git.runner.launch import launch
from conductor_git.settings import bus_address
from conductor_git.transition import begin
from conductor_git.undo_spawn import remove_half_made
from conductor_git.workflow.family.bounds import require_parent, room
from conductor_git.workflow.reviewing.reviewer import refuse_own

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
    branch = config.branch.format(task_id=order.task_id, repo=project.repository.name)
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
    return Plan(
        task_id=order.task_id,
        title=order.title or _first_line(order.prompt) or order.task_id,
        prompt=order.prompt,
        branch=branch,
        new_branch=tip is None,
        target=target,
        base_commit=_base(project, order.base, known.tips[target], tip),
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
    )


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
    relative = config.worktrees.format(task_id=task_id, repo=project.repository.name)
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


def spawn(project: Project, wanted: Plan, *, by: Actor, at: datetime, start_agent: bool = True) -> Run:
    """Make what `wanted` says and return the task: ASSIGNED, or WORKING where its command was launched.

    A failure at any step undoes the steps before it, and only those; after a kill the next command does. Any number
    of spawns may run at once: of one task id, one wins, and no worker gets more sub-tasks than it may have
    (`FamilyLimit`). A worker spawns no reviewer of its family's work (`SelfReview`).
    """
    if wanted.review_of is not None:
        refuse_own(project, wanted.review_of, by)
    facts = {
        "branch": wanted.branch,
        "new_branch": wanted.new_branch,
        "base_commit": wanted.base_commit,
        "worktree": str(wanted.worktree),
        "new_directories": [str(parent) for parent in wanted.worktree.parents if not parent.exists()],
    }
    run = _made(project, wanted, facts, by, at)
    return launch(project, run) if start_agent and is_launchable(run) else run


def _made(project: Project, wanted: Plan, facts: dict[str, Any], by: Actor, at: datetime) -> Run:
    with (
        room(project, wanted.parent_task_id, by=by, at=at) as born,
        journal.operation(project.layout, wanted.task_id, "spawn", seconds=120, **facts) as held,
    ):
        require_free(project, wanted.task_id)
        if os.path.lexists(wanted.worktree) or _branch_taken(project, wanted):
            raise PathExists(
                f"{wanted.worktree} or its branch was made meanwhile",
                hint="git worktree list",
                path=str(wanted.worktree),
            )
        holding = project.holding(held)
        try:
            return _make(holding, wanted, by, born)
        except (ConductorError, OSError) as failed:
            # A git that ended by itself has freed its locks; one that a signal ended has not.
            _take_back(holding, wanted, facts, failed, killed=isinstance(failed, GitKilled))
            journal.forget(project.layout, wanted.task_id)  # what is made here from now on is somebody's own
            _refuse_branch_in_the_way(holding, wanted)
            raise


def _take_back(
    project: Project, wanted: Plan, facts: dict[str, Any], failed: ConductorError | OSError, *, killed: bool
) -> None:
    try:
        remove_half_made(project, wanted.task_id, facts, killed=killed)
    except (ConductorError, OSError) as stuck:
        raise Unfinished(
            f"{wanted.task_id} could not be made ({failed}), and what was made of it could not be removed ({stuck}); "
            "the next command does it",
            hint="conductor-git status",
            task_id=wanted.task_id,
        ) from failed


def _refuse_branch_in_the_way(project: Project, wanted: Plan) -> None:
    """git keeps branches as files and directories, so `a` and `a/b` exclude each other; asked once a spawn failed."""
    above = [f"refs/heads/{parent}" for parent in PurePosixPath(wanted.branch).parents][:-1]
    below = f"refs/heads/{wanted.branch}/"
    listed = project.git.run("for-each-ref", "--format=%(refname)", *above, below).lines
    for ref in listed:
        if ref in above or ref.startswith(below):
            branch = ref.removeprefix("refs/heads/")
            raise BranchExists(
                f"the branch {branch} exists, and git cannot have {wanted.branch} beside it",
                hint=f"git branch --list --verbose {shlex.quote(branch)}",
                branch=branch,
            )


def _branch_taken(project: Project, wanted: Plan) -> bool:
    return wanted.new_branch and tip_of(project.git, f"refs/heads/{wanted.branch}") is not None


def _make(project: Project, wanted: Plan, by: Actor, at: datetime) -> Run:
    layout = project.layout
    if wanted.bus != current_address(layout.state_dir):
        set_current(layout.state_dir, wanted.bus)
    if wanted.quiet_after is not None:
        remember_quiet(layout, wanted.quiet_after)
    durable.make_directory(layout.task(wanted.task_id))
    durable.replace(layout.prompt(wanted.task_id), wanted.prompt.encode())
    entries = shared_config(project.git)
    configguard.require_agreed(layout, entries)
    worktree.exclude_own_files(layout)
    _make_worktree(project, wanted)
    run = _first_record(project, wanted, by, at)
    write_context(project, run)
    return begin(project, run)


def _make_worktree(project: Project, wanted: Plan) -> None:
    if wanted.review_of is not None:
        worktree.add_read_only(project.git, project.layout, wanted.worktree, commit=wanted.base_commit)
        return
    worktree.add(
        project.git,
        project.layout,
        wanted.worktree,
        branch=wanted.branch,
        commit=wanted.base_commit,
        new_branch=wanted.new_branch,
    )


def _first_record(project: Project, wanted: Plan, by: Actor, at: datetime) -> Run:
    return Run(
        project_id=project.project_id,
        task_id=wanted.task_id,
        title=wanted.title,
        state=State.ASSIGNED,
        branch=wanted.branch,
        target=wanted.target,
        base_commit=wanted.base_commit,
        worktree=str(wanted.worktree),
        agent=wanted.agent,
        command=wanted.command,
        needs=wanted.needs,
        priority=wanted.priority,
        review_of=wanted.review_of,
        plan=wanted.plan,
        fallbacks=wanted.fallbacks,
        parent_task_id=wanted.parent_task_id,
        reviews_required=wanted.reviews_required,
        created_at=at,
        updated_at=at,
        history=(Step(1, Event.SPAWN, State.ASSIGNED, at, by.name, wanted.base_commit),),
    )


def write_context(project: Project, run: Run) -> None:
    """Put `.worker-ctx.json` into the worktree and its canonical copy into the worktree's git dir."""
    path = Path(run.worktree)
    git_dir = worktree.registered_git_dir(project.layout, path)
    if git_dir is None:
        raise UnsafePath(f"{path} is no worktree of this repository", hint="git worktree list", path=str(path))
    context = WorkerContext(
        task_id=run.task_id,
        project_id=run.project_id,
        generation=run.generation,
        branch=run.branch,
        target=run.target,
        base_commit=run.base_commit,
        worktree=path,
        repository=project.repository,
        state_dir=project.layout.state_dir,
        bus=project.bus.url,
        description=run.title,
        created_at=run.created_at,
        review_of=run.review_of,
    )
    place(context, git_dir)
