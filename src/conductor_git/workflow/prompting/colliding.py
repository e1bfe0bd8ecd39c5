"""What a worker's branch would run into: other workers at work, and what its target has gained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from conductor_git import history
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.looking.glimpse import Foreseen, glimpse
from conductor_git.workflow.looking.sift import live
from conductor_git.workflow.prompting.quoting import line_of

_OTHERS: Final = 20
_FILES: Final = 20


def what_collides(project: Project, run: Run) -> str:
    """With which other live tasks, and with its target, the branch would conflict, and in which files.

    Empty where with none, and where it cannot be told. Uncommitted work is left out, as in `status`.
    """
    runs = live(project)
    tips = history.tips_of(project.git, (ref for one in runs for ref in (one.branch_ref, one.target_ref)))
    lines = list(_lines(run, glimpse(project, runs, tips).get(run.task_id, Foreseen())))
    return "\n".join(("## What your branch collides with", "", *lines)) if lines else ""


def _lines(run: Run, foreseen: Foreseen) -> Iterator[str]:
    if foreseen.target_files:
        yield f"- {run.target}, in {_files(foreseen.target_files)}: take in what it has now before you hand in"
    for met in foreseen.others[:_OTHERS]:
        yield f"- the task {met.other}, in {_files(met.files)}: settle with it on the bus who changes what"
    if len(foreseen.others) > _OTHERS:
        yield f"- {len(foreseen.others) - _OTHERS} more tasks"


def _files(names: Sequence[str]) -> str:
    more = len(names) - _FILES
    return ", ".join(map(line_of, names[:_FILES])) + (f" and {more} more" if more > 0 else "")
