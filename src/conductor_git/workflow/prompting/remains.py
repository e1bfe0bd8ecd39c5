"""What the attempt before left: how it ended, its commits, its uncommitted files, the end of what it printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import configguard, integration, worktree
from conductor_git.errors import ConductorError
from conductor_git.gitcmd import Git
from conductor_git.history import tip_of
from conductor_git.masking import REACH
from conductor_git.names import CommitId
from conductor_git.outputlog import log_end
from conductor_git.project import Project
from conductor_git.run import Attempt, Run, has_handed_in, how_it_ended
from conductor_git.wording import age
from conductor_git.workflow.prompting.identity import turn
from conductor_git.workflow.prompting.quoting import line_of, quoted

_COMMITS: Final = 20
_FILES: Final = 50
_LOG: Final = 4096


def what_the_last_one_left(project: Project, run: Run, now: datetime) -> str:
    """Empty for a first attempt. What cannot be looked at is told as such: an attempt begins all the same."""
    number, last = turn(run)
    if last is None:
        return ""
    parts = [
        f"## What attempt {number - 1} left\n\n{_how(run, last, now)}",
        _tried(lambda: _work(project, run)),
        _log(project, run, last, "stdout.log", "It ended its output with:"),
        _log(project, run, last, "stderr.log", "It ended its errors with:"),
    ]
    return "\n\n".join(part for part in parts if part)


def _how(run: Run, attempt: Attempt, now: datetime) -> str:
    how = "handed in, and ended" if has_handed_in(run, attempt) else line_of(how_it_ended(run, attempt), 500)
    ago = f", {age((now - attempt.ended_at).total_seconds())} ago" if attempt.ended_at else ""
    return f"{line_of(attempt.agent)} {how}{ago}."


def _tried(look: Callable[[], str]) -> str:
    try:
        return look()
    except (OSError, ValueError, ConductorError) as trouble:
        return f"What is on the branch and in the worktree cannot be told: {line_of(str(trouble), 500)}"


def _work(project: Project, run: Run) -> str:
    looking = configguard.filtering(integration.opened(project.layout, project.git), project.layout)
    tip = tip_of(project.git, run.branch_ref)
    if tip is None:
        return f"The branch {run.branch} is gone."
    parts = (_commits(looking, run, tip), _astray(project, run), _uncommitted(looking, project, run, tip))
    return "\n\n".join(part for part in parts if part)


def _commits(looking: Git, run: Run, tip: CommitId) -> str:
    """Asked of the integration repository with plumbing: no setting of the worker shapes the answer."""
    span = (f"--max-count={_COMMITS + 1}", tip, f"^{run.base_commit}")
    found = looking.run("rev-list", "--no-commit-header", "--format=%h %s", *span).lines
    if not found:
        return f"{run.branch} has no commit since its base."
    lines = [*_listed(found[:_COMMITS]), *(["- and more"] if len(found) > _COMMITS else [])]
    return "\n".join((f"On {run.branch} since its base, the newest first:", "", *lines))


def _astray(project: Project, run: Run) -> str:
    path = Path(run.worktree)
    git_dir = worktree.registered_git_dir(project.layout, path)
    what = worktree.under_way(git_dir) if git_dir else ""
    return f"{what[0].upper()}{what[1:]} is under way in the worktree." if what else ""


def _uncommitted(looking: Git, project: Project, run: Run, tip: CommitId) -> str:
    path = Path(run.worktree)
    if not path.is_dir():
        return f"The worktree {path} is gone."
    found = worktree.uncommitted(looking, project.layout, path, tip)
    if not found:
        return "Nothing in the worktree is uncommitted."
    more = len(found) - _FILES
    lines = [*_listed(found[:_FILES]), *([f"- and {more} more"] if more > 0 else [])]
    return "\n".join(("Not committed in the worktree:", "", *lines))


def _listed(names: Iterable[str]) -> Iterator[str]:
    return (f"- {line_of(name)}" for name in names)


def _log(project: Project, run: Run, attempt: Attempt, name: str, said: str) -> str:
    """Read further back than is told, so that the cut is through text that is masked already."""
    text = log_end(project.layout.attempt(run.task_id, attempt.run_id) / name, _LOG + REACH).rstrip()
    end = text.encode()[-_LOG:].decode("utf-8", "ignore")
    if len(end) < len(text):
        end = end.partition("\n")[2] or end
    return f"{said}\n\n{quoted(end)}" if end.strip() else ""
