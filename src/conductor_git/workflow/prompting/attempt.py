"""What an agent is told when it is launched: the task, and what it has to know beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from conductor_git.errors import ConductorError
from conductor_git.names import readable
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.prompting.asked import PROMPT_BYTES, asked
from conductor_git.workflow.prompting.colliding import what_collides
from conductor_git.workflow.prompting.heard import what_is_new
from conductor_git.workflow.prompting.identity import who_you_are
from conductor_git.workflow.prompting.protocol import how_you_work
from conductor_git.workflow.prompting.quoting import line_of
from conductor_git.workflow.prompting.remains import what_the_last_one_left
from conductor_git.workflow.prompting.reviewed import what_came_back


def attempt_prompt(project: Project, run: Run, *, edits: bool = True, now: datetime) -> bytes:
    """The prompt of the attempt that is about to begin: what was asked, to the byte, and sections of bounded length.

    An agent that does not edit has no worktree and no shell: of the sections it gets what was said to it. A reviewer's
    prompt is made anew for each commit and tells it all. At most `PROMPT_BYTES`; a section that cannot be told says
    so, one for which there is no room is left out, and only a prompt file that cannot be read is refused.
    """
    task = asked(project, run)
    return task if run.review_of is not None else _followed(task, _sections(project, run, edits, now))


def _sections(project: Project, run: Run, edits: bool, now: datetime) -> Iterator[str]:
    if edits:
        yield _told("Who you are", lambda: who_you_are(project, run))
        yield how_you_work(run)
    yield _told("What reviewers said", lambda: what_came_back(project, run))
    yield _told("What is new on the bus", lambda: what_is_new(project, run, has_shell=edits))
    if edits:
        yield _told("What your branch collides with", lambda: what_collides(project, run))
        yield what_the_last_one_left(project, run, now)


def _told(what: str, tell: Callable[[], str]) -> str:
    try:
        return tell()
    except (OSError, ValueError, ConductorError) as trouble:
        return f"## {what}\n\nThis cannot be told: {line_of(str(trouble), 500)}"


def _followed(task: bytes, sections: Iterable[str]) -> bytes:
    """`task` with those of `sections` that have a word to say and for which there is room."""
    prompt = task
    for section in filter(None, sections):
        gap = b"\n" if prompt.endswith(b"\n") else b"\n\n"
        after = gap + readable(section).encode() + b"\n"
        if len(prompt) + len(after) <= PROMPT_BYTES:
            prompt += after
    return prompt
