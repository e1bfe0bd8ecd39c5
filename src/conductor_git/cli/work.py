"""spawn, start, heartbeat, done, fail, cancel, retry: the life of a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from conductor_git.cli.options import Json, Task, TaskHere, Why, panel
from conductor_git.cli.plain import life

app = typer.Typer()


@app.command(
    rich_help_panel=panel("work"),
    context_settings={"allow_interspersed_args": True},
    epilog="Example: conductor-git spawn fix-login -m 'Fix the login redirect loop' -- my-agent --unattended",
)
def spawn(  # noqa: PLR0913, PLR0917 - one parameter an option
    task: Task,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[- | -- COMMAND…]", help="What to run in the worktree.", show_default=False),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", metavar="PROMPT", help="What the worker is asked; - reads stdin.")
    ] = None,
    prompt_file: Annotated[Path | None, typer.Option(metavar="F", help="Read the prompt from a file.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="An agent of the config.")] = None,
    title: Annotated[str | None, typer.Option(metavar="T", help="By default the prompt's first line.")] = None,
    base: Annotated[str | None, typer.Option(metavar="REF", help="Start here instead of the target's tip.")] = None,
    target: Annotated[str | None, typer.Option(metavar="BRANCH", help="The branch to land on.")] = None,
    needs: Annotated[list[str] | None, typer.Option(metavar="TASK", help="Tasks that come first.")] = None,
    reviews: Annotated[int | None, typer.Option(metavar="N", min=1, help="Approvals needed to land.")] = None,
    priority: Annotated[int, typer.Option(metavar="N", help="Of two approved tasks the higher lands first.")] = 0,
    review: Annotated[
        str | None, typer.Option(metavar="OTHER_TASK", help="Review the commit that this task has in review.")
    ] = None,
    existing: Annotated[bool, typer.Option("--existing", help="Go on with a branch that is there.")] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="Make the worktree, start no agent.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made.")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="Agree to run the commands of the config.")] = False,
    as_json: Json = False,
) -> None:
    """Give a task a branch and a worktree of its own, and start its agent there."""
    life.spawn(
        task=task,
        command=command,
        message=message,
        prompt_file=prompt_file,
        agent=agent,
        title=title,
        base=base,
        target=target,
        needs=needs,
        reviews=reviews,
        priority=priority,
        review=review,
        existing=existing,
        no_start=no_start,
        dry_run=dry_run,
        trust=trust,
        as_json=as_json,
    )


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git start fix-login")
def start(task: TaskHere = None, as_json: Json = False) -> None:
    """Take the task up: ASSIGNED → WORKING."""
    life.start(task=task, as_json=as_json)


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git heartbeat --note 'tests are running'")
def heartbeat(
    task: TaskHere = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Also post this as PROGRESS.")] = None,
    as_json: Json = False,
) -> None:
    """Say that the worker is alive."""
    from conductor_git.cli.plain.worker_actions import heartbeat as beat

    beat(task=task, note=note, as_json=as_json)


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git done -m 'The redirect keeps its query'")
def done(
    task: TaskHere = None,
    message: Annotated[str | None, typer.Option("--message", "-m", metavar="SUMMARY", help="What was done.")] = None,
    wip: Annotated[bool, typer.Option("--wip", help="Commit what is uncommitted first.")] = False,
    as_json: Json = False,
) -> None:
    """Hand the worktree's HEAD in for review: WORKING → IN_REVIEW."""
    life.done(task=task, message=message, wip=wip, as_json=as_json)


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git fail -m 'the API is gone'")
def fail(task: TaskHere = None, message: Why = None, as_json: Json = False) -> None:
    """Give the task up; its branch and worktree stay."""
    life.fail(task=task, message=message, as_json=as_json)


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git cancel fix-login -m 'done elsewhere'")
def cancel(task: Task, message: Why = None, as_json: Json = False) -> None:
    """End a task that is not wanted any more; its branch and worktree stay."""
    life.cancel(task=task, message=message, as_json=as_json)


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git retry fix-login --reset")
def retry(
    task: Task,
    reset: Annotated[
        bool, typer.Option("--reset", help="Start over from the target; the former work is salvaged.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start a failed or cancelled task again, as a new generation."""
    life.retry(task=task, reset=reset, as_json=as_json)
