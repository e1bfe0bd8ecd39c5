"""After a landing: the worktree goes (what it would drop is salvaged first), the branch goes if it is what landed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from conductor_git import configguard, integration, journal, leases, worktree
from conductor_git.errors import ConductorError, GitFailed, GitKilled, WorktreeBusy
from conductor_git.gitcmd import Git
from conductor_git.history import is_contained, tip_of
from conductor_git.layout import CONTEXT_NAME
from conductor_git.names import CommitId, TaskId
from conductor_git.processtable import wait_gone
from conductor_git.project import Project
from conductor_git.run import Phase, Run, State
from conductor_git.salvage import modules
from conductor_git.salvage.keep import Salvage, keep_commit, keep_head_of_gone, salvage
from conductor_git.transition import message_of, note
from conductor_git.workflow import refill

_AGENT_SECONDS: Final = 5.0
_WHY: Final = "the worktree was removed after the landing"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a task's worktree and branch; `kept_because` says why something was left in place."""

    worktree_removed: bool
    branch_deleted: bool
    salvage: Salvage | None = None
    kept_commits: str = ""
    """The ref that holds the approved commits where the target has them squashed or rebased."""
    kept_because: str = ""


def clean_up(project: Project, run: Run, *, at: datetime) -> Fate:
    """Remove what a landed task does not need any more. Safe to repeat; a refusal leaves things and says why."""
    try:
        _require_agent_gone(run)
        kept = remove_worktree(project, run, at=at)
        commits = _keep_commits(project, run, kept, at)
        fate = Fate(not Path(run.worktree).exists(), _delete_branch(project, run), kept, commits)
    except GitKilled:
        raise  # the phase stays at cleanup, and recovery goes on from there
    except ConductorError as refused:
        fate = Fate(not Path(run.worktree).exists(), False, kept_because=refused.message)
    note(project, run.task_id, _ended, at=at)
    refill.begin_as_configured(project)
    return fate


def clean_up_late(project: Project, task_id: TaskId, *, at: datetime) -> Fate | None:
    """Clean up after a landing that met the task's agent still at work; nothing where that is no question.

    For whoever has seen that agent end. A kill in here is mended by the next command.
    """
    with journal.operation(project.layout, task_id, "merge") as held:
        run = project.runs.get(task_id)
        landing = run.landing if run.state is State.COMPLETED else None
        if landing is None or not landing.cleanup or not Path(run.worktree).exists():
            return None
        unfinished = replace(landing, phase=Phase.CLEANUP)
        run = note(project, task_id, lambda now: replace(now, landing=unfinished), at=at)
        return clean_up(project.holding(held), run, at=at)


def _require_agent_gone(run: Run) -> None:
    """An agent that has handed in is given a moment to end; the floor is not taken away under one that goes on."""
    attempt = run.last_attempt
    if attempt is None or attempt.ended_at is not None or attempt.process is None:
        return
    if wait_gone({attempt.process}, _AGENT_SECONDS):
        raise WorktreeBusy(
            f"the agent of {run.task_id} is still at work in {run.worktree}; to clean up: conductor-git stop "
            f"{run.task_id} && conductor-git merge {run.task_id}",
            hint=f"conductor-git stop {run.task_id}",
            worktree=run.worktree,
        )


def _ended(run: Run) -> Run:
    if run.landing is None or run.landing.phase is Phase.ENDED:
        return run
    return replace(run, landing=replace(run.landing, phase=Phase.ENDED))


def remove_worktree(project: Project, run: Run, *, at: datetime) -> Salvage | None:
    """Remove the task's worktree, with a salvage ref for everything in it that no commit holds."""
    path = Path(run.worktree)
    git_dir = worktree.registered_git_dir(project.layout, path)
    if not path.exists():
        kept = keep_head_of_gone(project.git, project.layout, run.task_id, path, at=at)
        if kept is not None:
            _tell(project, run, kept)
        worktree.drop_registration(project.layout, path)
    elif git_dir is None:
        return None
    else:
        kept = _remove(project, run, path, git_dir, at)
    leases.free(project.layout, run.task_id)
    return kept


def _remove(project: Project, run: Run, path: Path, git_dir: Path, at: datetime) -> Salvage | None:
    worktree.require_removable(path, path.parent, project.repository)
    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    half = worktree.is_half_removed(git_dir)
    home = run.base_commit if run.review_of is not None else None
    kept = salvage(
        looking, project.git, project.layout, run.task_id, path, at=at, why=_WHY, home=home, half_removed=half
    )
    if kept is not None:
        _tell(project, run, kept)
    has_modules = (git_dir / modules.MODULES).exists()
    if has_modules and (stowed := modules.stow(looking, project.git, project.layout, run.task_id, git_dir, at=at)):
        _tell_of_modules(project, run, stowed)
    (path / CONTEXT_NAME).unlink(missing_ok=True)

    def look_again() -> None:
        if kept is None:  # else everything is held
            _require_nothing_new(project, path, looking, git_dir)

    quiet = configguard.quieted(project.git, project.layout, integration.shared_config(project.git))
    may_be_put_by = run.state is State.COMPLETED and not half and not has_modules
    git_looks = kept is None and not has_modules
    if may_be_put_by and refill.put_by(project, path, git_dir, look_again):
        return kept
    if not (git_looks and _is_removed_by_git(quiet, path, git_dir)):
        look_again()
        worktree.remove(quiet, path, git_dir, force=True)
    return kept


def _is_removed_by_git(quiet: Git, path: Path, git_dir: Path) -> bool:
    """Whether git looked and removed it; one with submodules it does not look into, and asks to be forced."""
    try:
        worktree.remove(quiet, path, git_dir, force=False)
    except GitFailed as refused:
        if isinstance(refused, GitKilled) or "containing submodules" not in refused.message:
            raise
        return False
    return True


def _require_nothing_new(project: Project, path: Path, looking: Git, git_dir: Path) -> None:
    """The second look, which git does not take for us."""
    head = replace(looking, cwd=git_dir, git_dir=git_dir, objects=None).run("rev-parse", "HEAD").text
    if late := worktree.uncommitted(looking, project.layout, path, CommitId(head), git_dir):
        raise WorktreeBusy(
            f"{path} was written while it was removed: {', '.join(late[:5])}",
            hint=f"git -C {shlex.quote(str(path))} status",
            worktree=str(path),
        )


def _tell_of_modules(project: Project, run: Run, place: Path) -> None:
    words = (
        f"the submodules of {run.worktree} had commits or files that nothing else holds; their repositories were kept "
        f"in {place}\n\nto look: git -C {shlex.quote(str(place))}/NAME log --all\n"
        f"to take over: git -C PATH fetch {shlex.quote(str(place))}/NAME 'refs/*:refs/kept/*'"
    )
    project.bus.append(message_of(run, "FACT", words, {"submodules": str(place)}))


def _tell(project: Project, run: Run, kept: Salvage) -> None:
    words = f"uncommitted work in {run.worktree} was kept in {kept.ref}" if kept.ref else "nothing uncommitted was kept"
    if kept.left_out:
        words += "\n\ntoo large to keep:\n" + "\n".join(kept.left_out[:100])
    project.bus.append(message_of(run, "FACT", words, {"salvage": kept.ref} if kept.ref else {}))


def _keep_commits(project: Project, run: Run, kept: Salvage | None, at: datetime) -> str:
    """Squashed or rebased, the approved commit itself is not on the target, so a salvage ref goes on holding it."""
    tip = tip_of(project.git, run.branch_ref)
    if tip is None or tip != run.head_commit or run.merge_commit is None:
        return ""
    if is_contained(project.git, tip, run.merge_commit):
        return ""
    if kept and kept.ref and is_contained(project.git, tip, kept.commit):
        return kept.ref  # the worktree's HEAD, which a salvage has as its parent, need not have been on the branch
    # The name of a salvage ref is its time, and the worktree's own salvage may have this one.
    return keep_commit(project.git, run.task_id, tip, at=at + timedelta(microseconds=1)).ref


def _delete_branch(project: Project, run: Run) -> bool:
    """Delete the branch if its tip is what landed, by compare-and-swap: a newer commit keeps it."""
    tip = tip_of(project.git, run.branch_ref)
    if tip is None or tip != run.head_commit:
        return False
    if any(entry.branch_ref == run.branch_ref for entry in worktree.worktrees(project.git)):
        return False  # somebody has it checked out, and would stand on a branch that is not there
    project.git.run("update-ref", "--no-deref", "-d", run.branch_ref, tip)
    return True
