"""Worktrees and branches of tasks that have ended, where the target holds all that they brought."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import configguard, directories, integration, journal, process, worktree
from conductor_git.errors import ConductorError, GitFailed, GitKilled, LockTimeout
from conductor_git.gitcmd import Git
from conductor_git.history import is_contained, tip_of, tips_of
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.salvage.keep import keep_commit
from conductor_git.wording import counted
from conductor_git.workflow.landing.cleanup import remove_worktree
from conductor_git.workflow.leftovers.kind import IN_USE, Found, Held, Kind, Leftover, Since, size_of
from conductor_git.workflow.leftovers.merged import how_merged

_WORKTREE: Final = "worktree"
_BRANCH: Final = "branch"
ENDED: Final = (State.COMPLETED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class _Remains:
    """What is left of a task that has ended. `tip` is None where its branch is gone, or was never meant to be."""

    run: Run
    tip: CommitId | None
    git_dir: Path | None
    """Of its worktree, as it is registered."""

    @property
    def path(self) -> Path:
        return Path(self.run.worktree)

    @property
    def name(self) -> str:
        return self.run.branch if self.tip else str(self.path)


def _find(project: Project, since: Since) -> Found:
    """Both kinds, because one judgement is about both."""
    runs = [run for run in project.runs.scan() if isinstance(run, Run) and run.state in ENDED]
    tips = tips_of(project.git, (run.branch_ref for run in runs if _has_branch(run)))
    leftovers, held = list[Leftover](), list[Held]()
    looking: Git | None = None
    for remains in _remaining(project, runs, tips):
        at = _last_used(remains)
        if at >= since.before:
            continue
        looking = looking or _looking(project)
        try:
            why, stays = _judged(project, looking, remains)
        except (GitFailed, FileNotFoundError) as failure:
            if isinstance(failure, GitKilled) or not _is_going(project, remains):
                raise
            continue
        if stays:
            held.append(Held(_WORKTREE if remains.git_dir else _BRANCH, remains.name, stays))
        else:
            leftovers += _leftovers(remains, why, at)
    return Found(tuple(sorted(leftovers, key=lambda one: one.kind, reverse=True)), tuple(held))


def _looking(project: Project) -> Git:
    return configguard.filtering(integration.opened(project.layout, project.git), project.layout)


def _has_branch(run: Run) -> bool:
    """A reviewer's task has none."""
    return bool(run.branch) and run.review_of is None


def _remaining(project: Project, runs: list[Run], tips: dict[str, str]) -> Iterator[_Remains]:
    for run in runs:
        tip = tips.get(run.branch_ref) if _has_branch(run) else None
        git_dir = worktree.registered_git_dir(project.layout, Path(run.worktree))
        if tip is not None or git_dir is not None:
            yield _Remains(run, None if tip is None else CommitId(tip), git_dir)


def _is_going(project: Project, remains: _Remains) -> bool:
    """Whether somebody else removes the worktree while we look at it: nothing of it is left to tell."""
    if (git_dir := remains.git_dir) is None:
        return False
    is_registered = worktree.registered_git_dir(project.layout, remains.path) == git_dir
    return not is_registered or not remains.path.exists() or worktree.is_half_removed(git_dir)


def _last_used(remains: _Remains) -> datetime:
    """When the task ended, or its worktree was last used after that: one that was restored is not gone the next day."""
    files = [remains.git_dir / name for name in ("HEAD", "index", "logs/HEAD", "gitdir")] if remains.git_dir else []
    times = (datetime.fromtimestamp(status.st_mtime, UTC) for status in directories.statuses(files))
    return max([remains.run.updated_at, *times])


def _leftovers(remains: _Remains, why: str, at: datetime) -> Iterator[Leftover]:
    run = remains.run
    if remains.git_dir is not None:
        clean = "nothing in it is uncommitted"
        said = f"{run.state}, {why}, {clean}" if why else f"{run.state}, {clean}"
        back = f"conductor-git restore {run.task_id}"
        if run.head_commit is not None and remains.tip not in (None, run.head_commit):
            back = f"git branch {quote(run.branch)} {remains.tip} && {back}"  # else it comes back as it was handed in
        size = size_of(remains.path)
        yield Leftover(_WORKTREE, run.worktree, said, at, remains.path, None, run.task_id, size, back)
    if remains.tip is not None:
        back = f"git branch {quote(run.branch)} {remains.tip}"
        said = f"{run.state}, {why}"
        yield Leftover(_BRANCH, run.branch, said, at, None, remains.tip, run.task_id, 0, back)


def _judged(project: Project, looking: Git, remains: _Remains) -> tuple[str, str]:
    """How it was merged, or else why it stays."""
    run = remains.run
    if stays := _why_used(remains) or _why_unsafe(project, looking, remains):
        return "", stays
    if remains.tip is None:
        return "", ""
    target = tip_of(project.git, run.target_ref)
    if target is None:
        return "", f"its target {run.target} is gone, so nobody can say what was merged"
    why = how_merged(looking, remains.tip, target, run.target)
    return why, "" if why else f"{run.target} does not hold what it brings: git log {run.target}..{run.branch}"


def _why_used(remains: _Remains) -> str:
    attempt = remains.run.last_attempt
    if attempt and attempt.ended_at is None and attempt.process and process.is_alive(attempt.process):
        return f"its agent is still at work: conductor-git stop {remains.run.task_id}"
    if remains.git_dir is not None and (remains.git_dir / "locked").exists():
        return f"somebody locked it: git worktree unlock {quote(str(remains.path))}"
    return ""


def _why_unsafe(project: Project, looking: Git, remains: _Remains) -> str:
    """Why the worktree's files may hold what no commit does; what a killed removal left of one has been salvaged."""
    git_dir, run = remains.git_dir, remains.run
    if git_dir is None or worktree.is_half_removed(git_dir) or not remains.path.exists():
        return ""
    if what := worktree.under_way(git_dir):
        return f"{what} is under way in it"
    head = (git_dir / "HEAD").read_text().strip()
    home = f"ref: {run.branch_ref}" if _has_branch(run) else run.base_commit
    if head != home:
        return f"its HEAD is at {head.removeprefix('ref: refs/heads/')}, and not where the task had it"
    commit = CommitId(remains.tip or run.base_commit)
    changed = worktree.uncommitted(looking, project.layout, remains.path, commit, git_dir)
    return (
        f"{counted(len(changed), 'path')} in it {'is' if len(changed) == 1 else 'are'} uncommitted" if changed else ""
    )


def _again(project: Project, leftover: Leftover) -> _Remains:
    run = project.runs.get(leftover.task_id or TaskId(""))
    tip = tip_of(project.git, run.branch_ref) if _has_branch(run) else None
    return _Remains(run, tip, worktree.registered_git_dir(project.layout, Path(run.worktree)))


def _remove_worktree(project: Project, leftover: Leftover, at: datetime) -> str:
    """Remove the worktree with the task's lock held; small ignored files are salvaged, as at a landing."""

    def remove(here: Project, remains: _Remains) -> str:
        if stays := _changed(remains) or _judged(here, _looking(here), remains)[1]:
            return stays
        remove_worktree(here, remains.run, at=at)
        return "" if not remains.path.exists() else "it is still there"

    return _locked(project, leftover, remove)


def _delete_branch(project: Project, leftover: Leftover, at: datetime) -> str:
    """Delete the branch by compare-and-swap; what nobody else knows gets a salvage ref."""
    commit = leftover.commit
    assert commit is not None

    def delete(here: Project, remains: _Remains) -> str:
        stays = _changed(remains) or ("" if remains.tip == commit else "it has moved meanwhile")
        if any(one.branch_ref == remains.run.branch_ref for one in worktree.worktrees(here.git)):
            stays = stays or "a worktree has it checked out"
        stays = stays or _judged(here, _looking(here), remains)[1]
        if not stays:
            _drop(here, remains.run, commit, at)
        return stays

    return _locked(project, leftover, delete)


def _locked(project: Project, leftover: Leftover, remove: Callable[[Project, _Remains], str]) -> str:
    """What `remove` says, called with the task's lock held and what there is of the task now; why it could not be."""
    assert leftover.task_id is not None
    try:
        with journal.operation(project.layout, leftover.task_id, "gc", seconds=0) as held:
            here = project.holding(held)
            return remove(here, _again(here, leftover))
    except LockTimeout:
        return IN_USE
    except GitKilled:
        raise
    except ConductorError as refused:
        return refused.message


def _changed(remains: _Remains) -> str:
    return "" if remains.run.state in ENDED else f"its task is {remains.run.state} again"


def _drop(project: Project, run: Run, tip: CommitId, at: datetime) -> None:
    target = tip_of(project.git, run.target_ref)
    # Where the record does not know the commit either, a restore finds it by the salvage.
    if tip != run.head_commit or target is None or not is_contained(project.git, tip, target):
        keep_commit(project.git, run.task_id, tip, at=at)
    project.git.run("update-ref", "--no-deref", "-d", run.branch_ref, tip)


WORKTREES: Final = Kind(_WORKTREE, "worktree", _find, _remove_worktree, "worktrees")
BRANCHES: Final = Kind(_BRANCH, "branch ref", lambda project, since: Found(), _delete_branch, "worktrees")
"""Found together with the worktrees."""
