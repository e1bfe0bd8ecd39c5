"""cd, for the forms that the hot path leaves alone."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli.options import Json, panel
from conductor_git.cli.shell import going

app = typer.Typer()


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git cd fix-login")
def cd(
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK", help="The task; without one, the main checkout.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the path of a task's worktree; with the shell function of `init --shell`, change into it."""
    going.cd(task=task, as_json=as_json)
