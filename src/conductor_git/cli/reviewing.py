"""approve, request-changes and diff: the review of a task."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli.options import As, Json, Task, TaskHere, panel
from conductor_git.cli.plain import texts, verdicts

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
    verdicts.approve(task=task, commit=commit, message=message, as_reviewer=as_reviewer, as_json=as_json)


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
    verdicts.request_changes(
        task=task,
        message=message,
        comment=comment,
        comment_old=comment_old,
        as_reviewer=as_reviewer,
        as_json=as_json,
    )


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
