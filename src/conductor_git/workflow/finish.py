"""done: the worktree's HEAD is handed in for review, or refused with what is missing."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from conductor_git import configguard, integration, journal, worktree
from conductor_git.actor import Actor
from conductor_git.errors import (
    DirtyWorktree,
    GitFailed,
    GitKilled,
    HookRefused,
    NotFound,
    NothingToReview,
)
from conductor_git.gitcmd import Git
from conductor_git.history import is_contained, tip_of
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project
from conductor_git.run import TRANSITIONS, Event, Run, State, advance
from conductor_git.transition import move, require_generation
from conductor_git.wording import counted
from conductor_git.workflow.family.own import require_own
from conductor_git.workflow.reviewing.reviewer import require_work


def finish(
    project: Project, task_id: TaskId, *, by: Actor, at: datetime, summary: str | None = None, wip: bool = False
) -> Run:
    """Hand in the commit that the branch is at; WORKING → IN_REVIEW, or a newer commit supersedes the one in review.

    Refuses the worker of another task (`WrongWorker`), a dirty worktree (`DirtyWorktree` lists the files), one in the
    middle of a rebase or merge, a branch with no commit of its own, and an older generation; nothing is changed then.
    With `wip`, what is uncommitted is committed first, by git itself with the project's hooks; given by anybody but the
    worker itself, only those that were agreed to (`ConfigChanged`), and none that lie in the worktree, whose files are
    the worker's.
    """
    project.runs.get(task_id)
    with journal.operation(project.layout, task_id, "done") as held:
        project = project.holding(held)
        run = project.runs.get(task_id)
        require_generation(run, by.generation_for(task_id))
        require_own(project, run, by, "hand in the work of")
        require_work(run, "hand in")
        event = _event(run, by, at)
        _require_worktree(run)
        worktree.require_quiet(project.layout, Path(run.worktree), run.branch_ref)
        commit = _clean_tip(project, run, by, wip)
        if event is Event.SUPERSEDE and commit == run.head_commit:
            return run
        return move(
            project,
            task_id,
            event,
            at=at,
            by=by.name,
            commit=commit,
            note=summary,
            also=lambda now: replace(now, head_commit=commit, approved_commit=None, summary=summary or now.summary),
        )


def _event(run: Run, by: Actor, at: datetime) -> Event:
    """Handing in again while in review replaces what is reviewed; elsewhere the table decides."""
    event = Event.SUPERSEDE if run.state in (State.IN_REVIEW, State.APPROVED) else Event.DONE
    if (run.state, event) not in TRANSITIONS:
        advance(run, event, at=at, by=by.name)
    return event


def _require_worktree(run: Run) -> None:
    if not Path(run.worktree).is_dir():
        raise NotFound(
            f"the worktree {run.worktree} is gone; its commits are on {run.branch}",
            hint=f"conductor-git cancel {run.task_id} && conductor-git retry {run.task_id}",
            task_id=run.task_id,
            worktree=run.worktree,
        )


def _clean_tip(project: Project, run: Run, by: Actor, wip: bool) -> CommitId:
    path = Path(run.worktree)
    tip = tip_of(project.git, run.branch_ref)
    if tip is None:
        raise NotFound(f"the branch {run.branch} is gone", hint="git reflog --all", branch=run.branch)
    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    files = worktree.uncommitted(looking, project.layout, path, tip)
    if files and not wip:
        raise _dirty(run, files)
    if files:
        _commit_all(project, run, by, files)
        tip = tip_of(project.git, run.branch_ref) or tip
        if left := worktree.uncommitted(looking, project.layout, path, tip):
            raise _dirty(run, left)
    if tip == run.base_commit or is_contained(looking, tip, tip_of(project.git, run.target_ref) or run.base_commit):
        raise NothingToReview(
            f"{run.branch} has no commit of its own on top of {run.target}",
            hint=f"git -C {shlex.quote(run.worktree)} log --oneline -5",
            task_id=run.task_id,
            branch=run.branch,
            commit=tip,
        )
    return tip


def _dirty(run: Run, files: tuple[str, ...]) -> DirtyWorktree:
    listed = ", ".join(files[:5]) + (", …" if len(files) > 5 else "")
    return DirtyWorktree(
        f"{run.worktree} has {counted(len(files), 'uncommitted file')}: {listed}",
        hint=f"conductor-git done {run.task_id} --wip",
        task_id=run.task_id,
        files=list(files),
    )


def _commit_all(project: Project, run: Run, by: Actor, files: tuple[str, ...]) -> None:
    path = Path(run.worktree)
    git = _own_git(project, path) if by.worker == run.task_id else _guarded_git(project, run, path)
    try:
        # Not `git add --all`, which looks into submodules, whose config is the worker's and guarded by nobody.
        listing = "".join(f"{file}\0" for file in files).encode("utf-8", "surrogateescape")
        # Of a path that a sparse checkout left out, and that is there all the same, it would drop the entry.
        worktree.unhidden(git).run("update-index", "-z", "--add", "--remove", "--replace", "--stdin", stdin=listing)
        if git.run("diff-index", "--cached", "--quiet", "HEAD", ok=(0, 1)).code == 0:
            return  # what was staged had been taken back in the files: nothing is left to commit
        git.run("commit", "--quiet", "-m", f"wip: {run.title}\n\nCommitted by `conductor-git done --wip`.")
    except GitKilled:
        raise
    except GitFailed as refused:
        raise HookRefused(
            f"git did not commit the work in {run.worktree}: {refused.message}",
            hint=f"git -C {shlex.quote(run.worktree)} commit",
            task_id=run.task_id,
        ) from refused


def _own_git(project: Project, path: Path) -> Git:
    return Git(path, inherit=project.git.inherit, hooks=True, transports=True)


def _guarded_git(project: Project, run: Run, path: Path) -> Git:
    entries = integration.shared_config(project.git)
    configguard.require_hooks_agreed(project.layout, entries, run.task_id)
    hooks_path = Path(entries.hooks_path).expanduser() if entries.hooks_path else project.layout.common_dir / "hooks"
    outside = hooks_path.is_absolute() and not hooks_path.is_relative_to(path)
    git_dir = worktree.registered_git_dir(project.layout, path)
    return replace(_own_git(project, path), git_dir=git_dir, work_tree=path, hooks=outside)
