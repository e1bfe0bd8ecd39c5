"""Branches and salvage refs: those that a task misses, those that no task has, and how far behind they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import directories, durable, journal
from conductor_git.config.model import Config
from conductor_git.errors import BadTaskId, ConductorError, NotFound
from conductor_git.history import apart, objects
from conductor_git.layout import SALVAGE_REFS
from conductor_git.names import CommitId, TaskId, parse_task_id, short
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.salvage.kept import salvaged
from conductor_git.settings import project_config
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground
from conductor_git.workflow.restoring.lost import has_branch, last_known
from conductor_git.worktree import registered_git_dir

_FAR_BEHIND: Final = 50
_LOG_BYTES: Final = 64 * 1024


def _find(ground: Ground) -> Iterator[Finding]:
    for run in ground.live:
        yield from _missed(ground, run)
    yield from _behind(ground)
    yield from _nobodys(ground)
    yield from _unreadable(ground)


def _missed(ground: Ground, run: Run) -> Iterator[Finding]:
    if has_branch(run) and run.branch_ref not in ground.tips:
        said = f"the branch of {run.task_id}, {run.branch}, is gone"
        yield Finding("BRANCH_GONE", run.task_id, said, f"git reflog {quote(run.branch)}", run.task_id)
    if run.target_ref not in ground.tips:
        said = f"{run.target}, on which {run.task_id} is to land, is gone"
        yield Finding("TARGET_GONE", run.target, said, f"git branch {quote(run.target)} COMMIT", run.task_id)


def _behind(ground: Ground) -> Iterator[Finding]:
    tips = ground.tips
    runs = [run for run in ground.live if has_branch(run) and run.branch_ref in tips and run.target_ref in tips]
    pairs = {run.task_id: (tips[run.branch_ref], tips[run.target_ref]) for run in runs}
    counts = apart(ground.project.git, pairs.values())
    for run in runs:
        behind = counts[pairs[run.task_id]][1]
        if behind >= _FAR_BEHIND:
            said = f"{run.task_id} is {behind} commits behind {run.target}"
            command = f"git -C {quote(run.worktree)} merge {quote(run.target)}"
            yield Finding("STALE_BASE", run.task_id, said, command, run.task_id)


def _nobodys(ground: Ground) -> Iterator[Finding]:
    try:
        shape = project_config(ground.project).branch
    except ConductorError:
        shape = Config().branch
    before = shape.partition("{task_id}")[0].format(repo=ground.project.repository.name)
    if not before.endswith("/") or ground.unreadable:
        return  # any branch could be one, or nobody knows whose it is
    mine = {run.branch_ref for run in ground.runs} | {entry.branch_ref for entry in ground.worktrees}
    for ref in sorted(ground.tips):
        name = ref.removeprefix(f"refs/heads/{before}")
        if name == ref or ref in mine or not _is_free(ground, name):
            continue
        branch = ref.removeprefix("refs/heads/")
        said = f"{branch} has a worker's name, and there is no task {name}"
        yield Finding("BRANCH_WITHOUT_RECORD", branch, said, f"conductor-git spawn {name} --existing --no-start")


def _is_free(ground: Ground, name: str) -> bool:
    try:
        task_id = parse_task_id(name)
    except BadTaskId:
        return False
    return not ground.layout.task(task_id).exists() and not durable.is_locked(ground.layout.task_lock(task_id))


def _unreadable(ground: Ground) -> Iterator[Finding]:
    git = ground.project.git
    rows = (
        row.partition(" ") for row in git.run("for-each-ref", "--format=%(refname) %(objectname)", SALVAGE_REFS).lines
    )
    refs = {name: commit for name, _, commit in rows}
    # git passes over a ref whose file holds no id, and says so on its standard error alone.
    loose = {path.relative_to(ground.layout.common_dir).as_posix() for path in _loose(ground)}
    found = dict(zip(refs, objects(git, *(f"{commit}^{{tree}}" for commit in refs.values())), strict=True))
    for ref in sorted(loose | set(refs)):
        if found.get(ref) is None:
            said = f"{ref} leads to no commit that can be read"
            yield Finding("SALVAGE_UNREADABLE", ref, said, "git fsck --connectivity-only")


def _loose(ground: Ground) -> Iterator[Path]:
    for path in directories.below(ground.layout.common_dir / SALVAGE_REFS):
        if path.is_file() and not path.name.endswith(".lock"):
            yield path


def _make_again(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    """Make the branch where its worktree was last, else where the record or a salvage has it."""
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        run = project.runs.get(task_id)
        if project.git.run("show-ref", "--verify", "--quiet", run.branch_ref, ok=(0, 1, 128)).code == 0:
            return ""
        logged = _last_in_worktree(project, run)
        commit = logged or last_known(project.git, run, salvaged(project.git, task_id))[0]
        if commit is None:
            raise NotFound(f"nothing is left of {run.branch}", hint="git fsck --lost-found", task_id=task_id)
        project.git.run("update-ref", run.branch_ref, commit, "")
        later = "" if logged else "; commits after it, if there were any, no log has: git fsck --lost-found"
        return f"made {run.branch} again, at {short(commit)}{later}"


def _last_in_worktree(project: Project, run: Run) -> CommitId | None:
    """The newest commit that the log of the worktree's HEAD has, while that is on the branch, and that is there."""
    git_dir = registered_git_dir(project.layout, Path(run.worktree))
    if git_dir is None:
        return None
    try:
        if (git_dir / "HEAD").read_text().strip() != f"ref: {run.branch_ref}":
            return None
        with (git_dir / "logs" / "HEAD").open("rb") as log:
            log.seek(max(0, log.seek(0, 2) - _LOG_BYTES))
            lines = log.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    new = [words[1] for line in reversed(lines) if len(words := line.split(" ")) > 2 and set(words[1]) != {"0"}]
    for one in objects(project.git, *(f"{commit}^{{commit}}" for commit in new[:20])):
        if one is not None and one.kind == "commit":
            return CommitId(one.name)
    return None


BRANCHES = Family(_find, {"BRANCH_GONE": _make_again})
