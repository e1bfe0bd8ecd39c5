"""What a restore will make, decided before anything is made: which salvage, at which commit, where; or the refusal."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from conductor_git import configguard, worktree
from conductor_git.errors import InTheWay, NotFound, UnsafePath, WorktreeBusy
from conductor_git.history import tip_of
from conductor_git.integration import looking_at, opened
from conductor_git.layout import OWN_FILES
from conductor_git.names import CommitId, TaskId, short
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.salvage.kept import Salvaged, salvaged
from conductor_git.workflow.restoring.lost import has_branch, last_known

_LISTED = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """A directory `path` with the files of `commit`, and over them what `salvage` holds.

    `branch` is the full name of what HEAD will be on, "" for a detached HEAD. `makes_branch` names the branch that is
    made, and `branch_commit` where. `is_task` says that it is the task's own worktree again; otherwise it is a plain
    one. `replaces` an existing worktree of the task in which there is nothing.
    """

    task_id: TaskId
    path: Path
    commit: CommitId
    salvage: Salvaged | None
    branch: str
    makes_branch: str
    branch_commit: CommitId | None
    is_task: bool
    replaces: bool
    others: int
    """How many salvage refs of the task are not the one chosen."""


def plan(project: Project, run: Run, *, wanted: str | None, into: Path | None) -> Plan:
    """Decide what to bring back of `run`; `wanted` names a salvage by ref or time, `into` another place."""
    refs = salvaged(project.git, run.task_id)
    tip = tip_of(project.git, run.branch_ref) if has_branch(run) else None
    chosen = _chosen(refs, run, wanted) if wanted else _best(run, refs, tip, elsewhere=into is not None)
    commit = chosen.head if chosen else tip or last_known(project.git, run, refs)[0]
    if commit is None:
        raise NotFound(
            f"nothing is left of {run.task_id}: no salvage ref, no branch, and none of its commits",
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
        )
    others = len(refs) - (chosen is not None)
    if into is not None:
        return Plan(run.task_id, _free(project, run.task_id, into), commit, chosen, "", "", None, False, False, others)
    return _in_place(project, run, refs, chosen, commit, tip, others)


def _chosen(refs: tuple[Salvaged, ...], run: Run, wanted: str) -> Salvaged:
    found = [one for one in refs if wanted in (one.ref, one.time, one.commit)]
    if not found:
        times = ", ".join(one.time for one in refs) or "none"
        raise NotFound(
            f"{run.task_id} has no salvage {wanted!r} (there is: {times})",
            hint="conductor-git restore",
            task_id=run.task_id,
        )
    return found[-1]


def _best(run: Run, refs: tuple[Salvaged, ...], tip: CommitId | None, *, elsewhere: bool) -> Salvaged | None:
    """The newest that holds files; one that fits the branch where that is there. None where the branch is all."""
    newest = [*(one for one in reversed(refs) if one.is_whole), *(one for one in reversed(refs) if not one.is_whole)]
    if tip is None or elsewhere:
        return newest[0] if newest else None
    fitting = [one for one in newest if one.head == tip or _is_detached(one, run)]
    if fitting:
        return fitting[0]
    return newest[0] if newest and os.path.lexists(run.worktree) else None


def _is_detached(one: Salvaged, run: Run) -> bool:
    """HEAD was not on the task's branch. A salvage of an older version does not say, and most were on it."""
    return one.note is not None and one.note.head not in ("", run.branch_ref)


def _in_place(
    project: Project,
    run: Run,
    refs: tuple[Salvaged, ...],
    chosen: Salvaged | None,
    commit: CommitId,
    tip: CommitId | None,
    others: int,
) -> Plan:
    path = Path(run.worktree)
    on_branch = has_branch(run) and not (chosen and _is_detached(chosen, run))
    if on_branch and tip not in (None, commit):
        raise _moved(run, chosen, commit, tip)
    branch_commit = commit if on_branch else last_known(project.git, run, refs)[0]
    makes = run.branch_ref if has_branch(run) and tip is None and branch_commit else ""
    _require_branch_free(project, run, chosen)
    replaces = os.path.lexists(path)
    if replaces:
        _require_nothing_in(project, run, path, chosen, commit)
    elif path.parent.is_symlink():
        raise UnsafePath(
            f"{path.parent} is a symbolic link", hint=f"ls -ld {shlex.quote(str(path.parent))}", path=str(path.parent)
        )
    branch = run.branch_ref if on_branch else ""
    return Plan(run.task_id, path, commit, chosen, branch, makes, branch_commit, True, replaces, others)


def _elsewhere(run: Run, chosen: Salvaged | None) -> str:
    which = f" --salvage {chosen.time}" if chosen else ""
    return f"conductor-git restore {run.task_id}{which} --into {shlex.quote(f'{run.worktree}-restored')}"


def _moved(run: Run, chosen: Salvaged | None, commit: CommitId, tip: CommitId | None) -> InTheWay:
    return InTheWay(
        f"{run.branch} is at {short(tip)} now, and what is to be brought back was on it at {short(commit)}",
        hint=_elsewhere(run, chosen),
        task_id=run.task_id,
        path=run.worktree,
        files=[],
        branch=run.branch,
        commit=tip,
    )


def _require_branch_free(project: Project, run: Run, chosen: Salvaged | None) -> None:
    for entry in worktree.worktrees(project.git):
        if has_branch(run) and entry.branch_ref == run.branch_ref and entry.path != Path(run.worktree):
            raise InTheWay(
                f"{run.branch} is checked out in {entry.path}",
                hint=_elsewhere(run, chosen),
                task_id=run.task_id,
                path=str(entry.path),
                files=[],
                branch=run.branch,
            )


def _require_nothing_in(project: Project, run: Run, path: Path, chosen: Salvaged | None, commit: CommitId) -> None:
    """The worktree that is there may make way only if it is ours, at this commit, and holds nothing of anybody."""
    git_dir = worktree.registered_git_dir(project.layout, path) if path.is_dir() and not path.is_symlink() else None
    if git_dir is None:
        raise _in_the_way(run, chosen, path, "is there, and is no worktree of this repository", _names(path))
    if chosen is None:
        raise _in_the_way(run, chosen, path, "is there, and there is no salvage to bring back into it", ())
    head = (git_dir / "HEAD").read_text().strip()
    if head not in (f"ref: {run.branch_ref}", commit) or worktree.under_way(git_dir):
        raise _in_the_way(run, chosen, path, f"is there, with HEAD at {head}", ())
    if files := _work_in(project, path, git_dir, commit):
        raise _in_the_way(run, chosen, path, "is there, and has work in it", files)
    attempt = run.last_attempt
    if attempt and attempt.ended_at is None and attempt.process and is_alive(attempt.process):
        raise WorktreeBusy(
            f"the agent of {run.task_id} is at work in {path}",
            hint=f"conductor-git stop {run.task_id}",
            worktree=str(path),
        )


def _work_in(project: Project, path: Path, git_dir: Path, commit: CommitId) -> tuple[str, ...]:
    looking = configguard.filtering(opened(project.layout, project.git), project.layout)
    changed = worktree.uncommitted(looking, project.layout, path, commit, git_dir)
    with looking_at(looking, path, git_dir / "index") as git:
        ignored = git.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard").fields
        hidden = git.run("ls-files", "-z", "--others").fields
    return tuple(sorted({*changed, *ignored, *hidden} - {*OWN_FILES}))


def _in_the_way(run: Run, chosen: Salvaged | None, path: Path, why: str, files: tuple[str, ...]) -> InTheWay:
    listed = f": {', '.join(files[:5])}" if files else ""
    hint = _elsewhere(run, chosen) if chosen else f"git -C {shlex.quote(str(path))} status"
    return InTheWay(
        f"{path} {why}{listed}", hint=hint, task_id=run.task_id, path=str(path), files=list(files[:_LISTED])
    )


def _names(path: Path) -> tuple[str, ...]:
    return tuple(sorted(os.listdir(path))) if path.is_dir() else ()  # noqa: PTH208 - names, not paths


def _free(project: Project, task_id: TaskId, into: Path) -> Path:
    """`into` as an absolute path: not there or empty, and in no checkout of the repository."""
    path = Path(os.path.realpath(into.parent)) / into.name
    homes = [project.layout.common_dir, project.repository, *(entry.path for entry in worktree.worktrees(project.git))]
    if home := next((home for home in homes if path.is_relative_to(os.path.realpath(home))), None):
        better = shlex.quote(str(project.repository.parent / "restored"))
        raise UnsafePath(
            f"{path} lies in {home}, where git would see it as work",
            hint=f"conductor-git restore {task_id} --into {better}",
            path=str(path),
        )
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise InTheWay(f"{path} is there", hint=f"ls -ld {shlex.quote(str(path))}", path=str(path), files=[path.name])
    if names := _names(path):
        raise InTheWay(
            f"{path} is not empty: {', '.join(names[:5])}",
            hint=f"ls -la {shlex.quote(str(path))}",
            path=str(path),
            files=list(names[:_LISTED]),
        )
    return path
