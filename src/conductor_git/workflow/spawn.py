"""spawn: a task gets a branch, a worktree and a record, or nothing at all."""

from __future__ import annotations

import os
import shlex
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from conductor_git import configguard, durable, journal, leases, worktree
from conductor_git.actor import Actor
from conductor_git.bus.current import current_address, set_current
from conductor_git.context import WorkerContext
from conductor_git.errors import (
    BranchExists,
    ConductorError,
    GitKilled,
    PathExists,
    Unfinished,
)
from conductor_git.ground.submodules import may_fetch
from conductor_git.heartbeat import remember_quiet
from conductor_git.history import tip_of
from conductor_git.identity import place
from conductor_git.include import Included
from conductor_git.integration import shared_config
from conductor_git.pool.entry import Entry, is_in_use
from conductor_git.pool.take import take
from conductor_git.project import Project
from conductor_git.run import Event, Run, State, Step
from conductor_git.runner.launch import launch
from conductor_git.runner.setup import DEAF, Listener, set_up
from conductor_git.transition import begin, message_of
from conductor_git.undo_spawn import remove_half_made
from conductor_git.workflow.agent_hooks import install as agent_hooks
from conductor_git.workflow.family.bounds import room
from conductor_git.workflow.reviewing.reviewer import refuse_own
from conductor_git.workflow.spawning.ground import furnish, require_git_dir
from conductor_git.workflow.spawning.order import Plan, require_free


def spawn(
    project: Project,
    wanted: Plan,
    *,
    by: Actor,
    at: datetime,
    start_agent: bool = True,
    waits: bool = True,
    listener: Listener = DEAF,
) -> Run:
    """Make what `wanted` says and return the task: ASSIGNED, or WORKING where its command was launched.

    The setup runs before that, here, with its progress told to `listener`: a red step is `SetupFailed` and the task
    FAILED, its worktree kept. Without `waits` it is left to the task's supervisor, or to whoever starts the task.

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
    starts = start_agent and wanted.has_agent
    run, came = _made(project, wanted, facts, by, at, starts=starts)
    _refill(project, wanted.pool)
    listener.included(came)
    if wanted.ground.setup and waits:
        run = set_up(project, run, listener=listener)
    return launch(project, run) if starts else run


def _refill(project: Project, size: int) -> None:
    if size or is_in_use(project.layout):
        from conductor_git.workflow import refill  # nothing that a spawn without a pool waits for

        refill.begin(project, size)


def _made(
    project: Project, wanted: Plan, facts: dict[str, Any], by: Actor, at: datetime, *, starts: bool
) -> tuple[Run, Included]:
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
            return _make(holding, wanted, by, born, starts=starts)
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


def _make(project: Project, wanted: Plan, by: Actor, at: datetime, *, starts: bool) -> tuple[Run, Included]:
    layout = project.layout
    if wanted.bus != current_address(layout.state_dir):
        set_current(layout.state_dir, wanted.bus)
    if wanted.quiet_after is not None:
        remember_quiet(layout, wanted.quiet_after)
    durable.make_directory(layout.task(wanted.task_id))
    durable.replace(layout.prompt(wanted.task_id), wanted.prompt.encode())
    entries = shared_config(project.git)
    configguard.require_agreed(layout, entries)
    if may_fetch(layout.common_dir, wanted.files.submodules):
        configguard.require_all_agreed(layout, entries)
    worktree.exclude_own_files(layout)
    ready = _from_pool(project, wanted)
    if ready is None:
        _make_worktree(project, wanted)
    came = furnish(
        project,
        wanted.task_id,
        wanted.worktree,
        wanted.ground,
        starts_agent=starts,
        is_set_up=ready is not None and ready.is_set_up(wanted.base_commit, wanted.ground.setup_digest),
    )
    run = _first_record(project, wanted, by, at)
    write_context(project, run)
    run = begin(project, run)
    if came.notes:  # for those, too, who read later
        project.bus.append(message_of(run, "INFO", "\n".join(came.notes), {"event": "include"}))
    return run, came


def _make_worktree(project: Project, wanted: Plan) -> None:
    if wanted.review_of is not None:
        worktree.add_read_only(
            project.git, project.layout, wanted.worktree, commit=wanted.base_commit, files=wanted.files
        )
        return
    worktree.add(
        project.git,
        project.layout,
        wanted.worktree,
        branch=wanted.branch,
        commit=wanted.base_commit,
        new_branch=wanted.new_branch,
        files=wanted.files,
    )


def _from_pool(project: Project, wanted: Plan) -> Entry | None:
    """The worktree that was ready in the pool and is the task's now; None where it is to be made."""
    if not wanted.pool or not wanted.new_branch or wanted.review_of is not None:
        return None
    return take(
        project.git,
        project.layout,
        wanted.worktree,
        branch=wanted.branch,
        commit=wanted.base_commit,
        files=wanted.files,
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
    """Put `.worker-ctx.json` into the worktree and its canonical copy into the worktree's git dir; where
    `hooks install --agents` was run, the settings of agents too."""
    path = Path(run.worktree)
    git_dir = require_git_dir(project.layout, path)
    mine = leases.leased(project.layout).get(run.task_id)
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
        ports=mine.ports if mine else None,
        review_of=run.review_of,
    )
    place(context, git_dir)
    agent_hooks.place(project, run.task_id, path, git_dir)
