"""approve, request-changes and diff: the review of a task."""

from __future__ import annotations

from shlex import quote
from typing import Annotated

import typer

from conductor_git.actor import Actor
from conductor_git.cli import texts
from conductor_git.cli.documents import task_document
from conductor_git.cli.here import Here, here, reviewer
from conductor_git.cli.options import As, Json, Task, TaskHere, panel
from conductor_git.cli.output import answer, document, narrate
from conductor_git.names import short
from conductor_git.run import Run, State, utcnow

app = typer.Typer()


@app.command(rich_help_panel=panel("review"), epilog="Example: conductor-git approve fix-login --as ada")
def approve(
    task: Task,
    commit: Annotated[
        str | None, typer.Option(metavar="C", help="Its whole id: refuse if this is not the commit in review.")
    ] = None,
    message: Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What you found.")] = "",
    as_reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Approve exactly the commit in review: IN_REVIEW → APPROVED once enough reviewers have."""
    from conductor_git.workflow.review import approve as give

    place = here()
    by = reviewer(place, as_reviewer)
    run = give(place.project, place.task(task), by=by, at=utcnow(), commit=commit, body=message)
    _answer(run, as_json)
    if run.state is State.APPROVED:
        narrate("✓", f"{run.task_id} is approved at {short(run.approved_commit)}")
        narrate("↳", f"conductor-git merge {run.task_id}")
    else:
        narrate("✓", f"the approval of {by.name} is on record; {run.task_id} needs {run.reviews_required} in all")
    _tell_reviewer(place, by)


def _tell_reviewer(place: Here, by: Actor) -> None:
    """A reviewer's worktree goes when its agent has ended; where there is none, whoever sits in it is told how."""
    if place.context is None or place.context.review_of is None or by.worker is None:
        return
    own = place.project.runs.get(by.worker)
    if not own.attempts:
        narrate("○", f"{own.task_id} is {own.state}; its worktree is not needed any more")
        narrate("↳", f"cd {quote(str(place.project.repository))} && git worktree remove {quote(own.worktree)}")


def _answer(run: Run, as_json: bool) -> None:
    if as_json:
        document(task=task_document(run))
    else:
        answer(f"{run.task_id} {run.state}")


@app.command(
    "request-changes",
    rich_help_panel=panel("review"),
    epilog="Example: conductor-git request-changes fix-login -m 'no test' --comment src/login.py:12:'an off-by-one'",
)
@app.command("reject", hidden=True)
def request_changes(
    task: Task,
    message: Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What is to change.")] = "",
    comment: Annotated[
        list[str] | None, typer.Option(metavar="PATH:LINE:TEXT", help="A comment on one line; repeat for more.")
    ] = None,
    comment_old: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH:LINE:TEXT", help="The same, on a line as it was before the change."),
    ] = None,
    as_reviewer: As = None,
    as_json: Json = False,
) -> None:
    """Send the task back to its worker, with comments."""
    from conductor_git.review import Side, parse_comment
    from conductor_git.workflow.review import request_changes as send_back

    place = here()
    by = reviewer(place, as_reviewer)
    run = send_back(
        place.project,
        place.task(task),
        by=by,
        at=utcnow(),
        body=message,
        comments=[
            *(parse_comment(text) for text in comment or ()),
            *(parse_comment(text, Side.OLD) for text in comment_old or ()),
        ],
    )
    _answer(run, as_json)
    narrate("✓", f"{run.task_id} goes back to its worker, who reads the review with `conductor-git ctx`")
    _tell_reviewer(place, by)


@app.command(rich_help_panel=panel("review"), epilog="Example: conductor-git diff fix-login --stat")
def diff(
    task: TaskHere = None,
    stat: Annotated[bool, typer.Option("--stat", help="Only how much changed where.")] = False,
    name_only: Annotated[bool, typer.Option("--name-only", help="Only the paths.")] = False,
    comments: Annotated[
        bool | None,
        typer.Option("--comments/--no-comments", help="Reviewers' comments below their lines; so on a terminal."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what landing would bring: from the merge base to the task's head."""
    texts.diff(task=task, stat=stat, name_only=name_only, comments=comments, as_json=as_json)
