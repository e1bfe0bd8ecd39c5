"""What a reviewer's task is asked: what the other task was for, what it claims, where to look, how to answer."""

from __future__ import annotations

from typing import Final

from conductor_git import durable
from conductor_git.names import TaskId, readable
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.diff import base_of
from conductor_git.workflow.prompting.asked import PROMPT_BYTES
from conductor_git.workflow.prompting.reviewed import words

_REVIEWS: Final = 20
_ADDED: Final = "\n## What the coordinator adds\n\n"


def prompt_for(project: Project, run: Run, reviewer: TaskId, added: str = "") -> str:
    """The prompt of the task `reviewer`, which is to judge what `run` has in review; whoever asks has `added` to it."""
    assert run.head_commit is not None
    asked = durable.read_regular(project.layout.prompt(run.task_id), PROMPT_BYTES).decode("utf-8", "replace").strip()
    base, head = base_of(project, run, run.head_commit), run.head_commit
    reviews = FileReviews(project.layout).all(run.task_id)[-_REVIEWS:]
    sections = [
        f"# Review {run.task_id}\n\nGive a verdict on commit {head}. Change nothing: another worker does that.",
        f"## What {run.task_id} was asked\n\n{asked or run.title}",
        f"## What its worker says\n\n{run.summary.strip()}" if run.summary else "",
        f"## What to look at\n\n    git diff {base} {head}\n\n{_WHERE}",
        "## What reviewers said before\n\n" + "\n\n".join(map(words, reviews)) if reviews else "",
        f"## How to answer\n\n{_HOW.format(task=run.task_id, reviewer=reviewer)}",
    ]
    text = "\n\n".join(section for section in sections if section) + "\n"
    return readable(text + (f"{_ADDED}{added.strip()}\n" if added.strip() else ""))


_WHERE: Final = """\
This directory is a worktree at that commit; its tracked files are read-only, and it has no branch to commit on.
Tests and builds can run here."""

_HOW: Final = """\
Run one of these here, once:

    conductor-git approve {task} -m 'what you looked at'
    conductor-git request-changes {task} -m 'what is to change' --comment 'path/of/file:12:what is wrong there'

It counts as the verdict of {reviewer}. Where it is refused because the commit is superseded, stop: you will be asked
again."""


def added_to(prompt: str) -> str:
    """What whoever asked added to a prompt of ours."""
    return prompt.rpartition(_ADDED)[2].strip() if _ADDED in prompt else ""
