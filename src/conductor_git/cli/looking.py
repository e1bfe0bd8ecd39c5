"""status, show and log: what there is to see."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli.options import Json, Task, panel
from conductor_git.cli.plain import showing, texts, views
from conductor_git.run import State

app = typer.Typer()


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git status --all")
def status(
    state: Annotated[
        list[State] | None, typer.Option(metavar="STATE", help="Only tasks in this state; repeat for more.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Final tasks too.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until ^C.")] = False,
    as_json: Json = False,
) -> None:
    """One row a worker: task, state, health, agent, age, ahead and behind, files, collisions."""
    views.status(state=state or (), everything=everything, watch=watch, as_json=as_json)


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git show fix-login")
def show(task: Task, as_json: Json = False) -> None:
    """One task: its record, timeline and reviews, why it stands where it stands and what moves it."""
    showing.show(task=task, as_json=as_json)


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git log fix-login -f")
def log(
    task: Task,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the attempt has ended.")] = False,
    attempt: Annotated[int | None, typer.Option(metavar="N", min=1, help="By default the last.")] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="Its errors instead of its output.")] = False,
    as_json: Json = False,
) -> None:
    """What the task's agent printed."""
    texts.log(task=task, follow=follow, attempt=attempt, stderr=stderr, as_json=as_json)
