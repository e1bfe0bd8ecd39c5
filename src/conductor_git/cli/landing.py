"""merge, queue and undo: landings, told while they are on their way."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli import landed
from conductor_git.cli.here import here
from conductor_git.cli.options import Json, Task, Why, panel
from conductor_git.cli.output import narrate
from conductor_git.cli.plain import merging
from conductor_git.errors import BadInput
from conductor_git.names import parse_task_id
from conductor_git.run import Strategy, utcnow
from conductor_git.workflow.landing.wish import WAIT_SECONDS

app = typer.Typer()

_Wait = Annotated[float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the target.")]
_Trust = Annotated[bool, typer.Option("--trust", help="Agree to run the gates of the target's config.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell whether and what it would land.")]
_Target = Annotated[str | None, typer.Option(metavar="BRANCH", help="Only the queue of this target.")]


@app.command(rich_help_panel=panel("review"), epilog="Example: conductor-git merge fix-login --strategy squash")
def merge(  # noqa: PLR0913, PLR0917 - one parameter an option
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task; without one, the queue.", show_default=False)
    ] = None,
    strategy: Annotated[
        Strategy | None, typer.Option(metavar="merge|squash|rebase", help="By default what the config says.")
    ] = None,
    no_cleanup: Annotated[bool, typer.Option("--no-cleanup", help="Leave the worktree and the branch.")] = False,
    wait: _Wait = WAIT_SECONDS,
    dry_run: _DryRun = False,
    trust: _Trust = False,
    ignore_needs: Annotated[
        bool, typer.Option("--ignore-needs", help="Land although a task that it needs has not landed.")
    ] = False,
    target: _Target = None,
    as_json: Json = False,
) -> None:
    """Land an approved task, or without TASK all of them: merged in memory, gated as merged, published together."""
    code = merging.merge(
        task=task,
        strategy=strategy,
        no_cleanup=no_cleanup,
        wait=wait,
        dry_run=dry_run,
        trust=trust,
        ignore_needs=ignore_needs,
        target=target,
        as_json=as_json,
    )
    if code:
        raise typer.Exit(code)


@app.command(rich_help_panel=panel("review"), epilog="Example: conductor-git queue fix-login --priority 5")
def queue(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="The task whose priority is set.", show_default=False)
    ] = None,
    priority: Annotated[
        int | None, typer.Option(metavar="N", help="The higher lands first; 0 by default, less for later.")
    ] = None,
    target: _Target = None,
    as_json: Json = False,
) -> None:
    """Show what lands next on each target, or give a task another priority."""
    from conductor_git.workflow.queue import prioritise, queues

    place = here()
    if (task is None) != (priority is None):
        raise BadInput("a TASK and its --priority go together", hint="conductor-git queue fix-login --priority 5")
    if task is not None and priority is not None:
        run = prioritise(place.project, parse_task_id(task), priority, at=utcnow())
        narrate("✓", f"{run.task_id} has priority {run.priority}")
    landed.tell_queues(queues(place.project, target), as_json)


@app.command(rich_help_panel=panel("review"), epilog="Example: conductor-git undo fix-login -m 'it broke the login'")
def undo(
    task: Task,
    message: Why = None,
    wait: _Wait = WAIT_SECONDS,
    dry_run: _DryRun = False,
    trust: _Trust = False,
    as_json: Json = False,
) -> None:
    """Take a landing back by a new commit on its target; `retry` then goes on with the change."""
    merging.undo(task=task, message=message, wait=wait, dry_run=dry_run, trust=trust, as_json=as_json)
