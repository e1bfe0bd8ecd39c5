"""Who the worker is, and which attempt this is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from conductor_git.errors import ConductorError
from conductor_git.names import short
from conductor_git.project import Project
from conductor_git.run import UNCOUNTED, Attempt, Run
from conductor_git.runner.supervising.series import series
from conductor_git.settings import project_config
from conductor_git.wording import several
from conductor_git.workflow.family.kin import children

_CHILDREN: Final = 20


class Turn(NamedTuple):
    """The attempt that is about to begin: its number from 1, and the one that ended before it."""

    number: int
    last: Attempt | None


def turn(run: Run) -> Turn:
    """Which attempt is about to begin. It can be on record already: then it is the last one, without an end."""
    former = run.attempts
    if former and former[-1].ended_at is None:
        former = former[:-1]
    return Turn(run.attempts_before + len(former) + 1, former[-1] if former else None)


def who_you_are(project: Project, run: Run) -> str:
    return "\n".join(("## Who you are", "", *_facts(project, run)))


def _facts(project: Project, run: Run) -> Iterator[str]:
    yield f"- task: {run.task_id}"
    if run.parent_task_id is not None:
        yield f"- sub-task of: {run.parent_task_id}"
    yield f"- branch: {run.branch}, from {run.target} at {short(run.base_commit)}"
    yield f"- worktree: {run.worktree}"
    yield f"- target: {run.target}, where your commit lands once it is approved"
    if found := children(project, run.task_id):
        yield f"- sub-tasks: {several([f'{child.task_id} ({child.state})' for child in found], _CHILDREN)}"
    yield f"- attempt: {_attempt(run, _limit(project))}"


def _attempt(run: Run, most: int | None) -> str:
    """Its number, and of how many: those since the task last came to its worker, as far as they count."""
    number = turn(run).number
    counted = [one for one in series(run) if one.ended_at is not None and one.end not in UNCOUNTED]
    here = len(counted) + 1
    if most is None or here > most:
        return str(number)
    since = "" if here == number else f"; number {here} since the task last came to you,"
    return f"{number}{since} of at most {most}"


def _limit(project: Project) -> int | None:
    """`limits.attempts`; None where the config cannot be read, which is told by who acts on it."""
    try:
        return project_config(project).limits.attempts
    except ConductorError:
        return None
