"""retry: a task that failed or was cancelled starts again, as a new generation."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from conductor_git import configguard, integration, journal, worktree
from conductor_git.actor import Actor
from conductor_git.errors import BaseNotFound, NotFound, WorktreeBusy
from conductor_git.gitcmd import Git
from conductor_git.ground.files import files_of
from conductor_git.ground.submodules import may_fetch, populate
from conductor_git.history import is_contained, tip_of
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project
from conductor_git.readiness import expects_agent
from conductor_git.run import TRANSITIONS, Event, Run, advance
from conductor_git.runner.calling import require_usable
from conductor_git.runner.launch import launch
from conductor_git.runner.setup import DEAF, Listener, set_up
from conductor_git.runner.stop import end_attempt
from conductor_git.salvage import modules
from conductor_git.salvage.keep import Salvage, keep_commit, keep_head_of_gone, salvage
from conductor_git.settings import project_config
from conductor_git.transition import message_of, move
from conductor_git.workflow.agent_review.again import review_again
from conductor_git.workflow.spawn import write_context
from conductor_git.workflow.spawning.ground import furnish, ground_of, lend
from conductor_git.workflow.spawning.order import ground_for

_WHY: Final = "retry --reset started over"


def retry(
    project: Project, task_id: TaskId, *, by: Actor, at: datetime, reset: bool = False, listener: Listener = DEAF
) -> tuple[Run, Salvage | None]:
    """FAILED or CANCELLED → ASSIGNED, one generation up; a worker of the old one is refused from here on.

    The branch and its worktree go on as they are, and a worktree that is gone is made again. With `reset` they start
    over from the target's tip: the old commits and everything uncommitted are kept in a salvage ref first. A reviewer's
    task goes on with the commit that is in review now. A task that an agent of ours worked on is launched again, and
    what is still to run of its setup runs before that.
    """
    run = project.runs.get(task_id)
    if (run.state, Event.RETRY) not in TRANSITIONS:
        advance(run, Event.RETRY, at=at, by=by.name)
    config = project_config(project)
    has_agent = _has_agent(project, run)
    if has_agent:
        require_usable(config, task_id, [run.agent or "", *run.fallbacks], run.command)
    end_attempt(project, task_id, at=at)
    if run.review_of is not None:
        run, kept = review_again(project, task_id, by=by, at=at)
        return _begun(project, run, has_agent, listener), kept
    with journal.operation(project.layout, task_id, "retry", seconds=60) as held:
        project = project.holding(held)
        run = project.runs.get(task_id)
        entries = integration.shared_config(project.git)
        configguard.require_agreed(project.layout, entries)
        if may_fetch(project.layout.common_dir, config.submodules):
            configguard.require_all_agreed(project.layout, entries, task_id)
        kept = _start_over(project, run, at) if reset else None
        base = _base_after(project, run) if reset else run.base_commit
        if _see_to_worktree(project, run, at) or reset:
            came = furnish(project, task_id, Path(run.worktree), ground_for(config), starts_agent=has_agent)
            listener.included(came)
        else:
            lend(project.layout, task_id, Path(run.worktree), ground_of(config))
        # Before the record: a kill between the two leaves a context that is ahead, and no worker is refused for that.
        write_context(project, replace(run, generation=run.generation + 1, base_commit=base))
        run = move(
            project,
            task_id,
            Event.RETRY,
            at=at,
            by=by.name,
            commit=base,
            also=lambda now: replace(
                now,
                generation=now.generation + 1,
                base_commit=base,
                head_commit=None,
                approved_commit=None,
                merge_commit=None,
                reason=None,
                landing=None,
                undo=None,
                join=None,
            ),
        )
    return _begun(project, run, has_agent, listener), kept


def _has_agent(project: Project, run: Run) -> bool:
    """Whether an agent of ours worked on it, or was to; a task that a person took up by hand stays theirs."""
    was_to = run.command or run.attempts or expects_agent(project.layout, Path(run.worktree))
    return run.has_agent and bool(was_to)


def _begun(project: Project, run: Run, has_agent: bool, listener: Listener) -> Run:
    """With its agent launched, which sees to the setup; for a person it is seen to here."""
    return launch(project, run) if has_agent else set_up(project, run, listener=listener)


def _base_after(project: Project, run: Run) -> CommitId:
    target = tip_of(project.git, run.target_ref)
    if target is None:
        raise BaseNotFound(f"the target branch {run.target} does not exist", hint="git branch --list")
    return target


def _start_over(project: Project, run: Run, at: datetime) -> Salvage | None:
    base, tip, path = _base_after(project, run), tip_of(project.git, run.branch_ref), Path(run.worktree)
    _require_branch_to_ourselves(project, run)
    kept = _keep_files(project, run, base, tip, at) if path.is_dir() else None
    if tip is not None and tip != base and not _holds(project, kept, tip):
        # The worktree's HEAD, which its salvage has as a parent, need not have been on the branch.
        commits = keep_commit(project.git, run.task_id, tip, at=at + timedelta(microseconds=1))
        _tell(project, run, commits)
        kept = kept or commits
    if path.is_dir():
        _reset_worktree(project, run, base, at)
    elif tip is not None:
        project.git.run("update-ref", run.branch_ref, base, tip)
    return kept


def _require_branch_to_ourselves(project: Project, run: Run) -> None:
    for entry in worktree.worktrees(project.git):
        if entry.branch_ref == run.branch_ref and entry.path != Path(run.worktree):
            raise WorktreeBusy(
                f"{run.branch} is checked out in {entry.path}, and the retry needs it in {run.worktree}",
                hint=f"git -C {shlex.quote(str(entry.path))} switch --detach",
                task_id=run.task_id,
                worktree=str(entry.path),
            )


def _keep_files(project: Project, run: Run, base: CommitId, tip: CommitId | None, at: datetime) -> Salvage | None:
    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    path = Path(run.worktree)
    kept = salvage(looking, project.git, project.layout, run.task_id, path, at=at, why=_WHY, keep_head=tip != base)
    if kept and kept.ref:
        _tell(project, run, kept)
    return kept


def _holds(project: Project, kept: Salvage | None, tip: CommitId) -> bool:
    return kept is not None and bool(kept.ref) and is_contained(project.git, tip, kept.commit)


def _tell(project: Project, run: Run, kept: Salvage) -> None:
    project.bus.append(message_of(run, "FACT", f"retry kept the former work in {kept.ref}", {"ref": kept.ref}))


def _reset_worktree(project: Project, run: Run, base: CommitId, at: datetime) -> None:
    """Put the worktree on its branch at `base`, wherever its HEAD was and whatever was under way in it."""
    path = Path(run.worktree)
    git_dir = worktree.registered_git_dir(project.layout, path)
    git = replace(project.git, cwd=path, git_dir=git_dir, work_tree=path, transports=True)
    git.run("rebase", "--quit", ok=(0, 1, 128))  # refused where none is under way
    files = files_of(project_config(project))
    whole = ("--quiet", "--force", "--no-recurse-submodules", "--no-track")
    git.run("checkout", *whole, "-B", run.branch, base, extra=files.environment)
    git.run("clean", "-fdxq", "-e", "/.worker-ctx.json")
    _renew_submodules(project, run, git, files.submodules, at)


def _renew_submodules(project: Project, run: Run, git: Git, wanted: bool | None, at: datetime) -> None:
    """Make them again: a checkout in one of them would obey its config, which is the worker's."""
    assert git.git_dir is not None
    if (git.git_dir / modules.MODULES).is_dir():
        looking = integration.opened(project.layout, project.git)
        links = modules.links(git)
        if modules.stow(looking, project.git, project.layout, run.task_id, git.git_dir, at=at) is None:
            shutil.rmtree(git.git_dir / modules.MODULES)
        for link in links:
            shutil.rmtree(git.cwd / link)
            (git.cwd / link).mkdir()
    populate(git, project.layout.common_dir, wanted)


def _see_to_worktree(project: Project, run: Run, at: datetime) -> bool:
    """Make the worktree again where it was deleted by hand; its branch holds what was committed. Whether that was."""
    path = Path(run.worktree)
    if path.is_dir() and worktree.registered_git_dir(project.layout, path) is not None:
        return False
    tip = tip_of(project.git, run.branch_ref)
    if tip is None:
        raise NotFound(
            f"neither the worktree {path} nor the branch {run.branch} is there any more; its last known commit is "
            f"{short(run.head_commit or run.base_commit)}",
            hint=f"conductor-git restore {run.task_id}",
            task_id=run.task_id,
        )
    _require_branch_to_ourselves(project, run)
    kept = keep_head_of_gone(project.git, project.layout, run.task_id, path, at=at)
    if kept is not None:
        _tell(project, run, kept)
    worktree.drop_registration(project.layout, path)
    files = files_of(project_config(project))
    worktree.add(project.git, project.layout, path, branch=run.branch, commit=tip, new_branch=False, files=files)
    return True
