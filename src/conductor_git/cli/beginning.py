"""init, for the forms that the hot path leaves alone."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli.options import Json, panel
from conductor_git.cli.shell import going

app = typer.Typer()


@app.command(rich_help_panel=panel("care"), epilog="Example: conductor-git init")
def init(
    shell: Annotated[
        str | None,
        typer.Option(
            "--shell", metavar="bash|zsh|fish", help="Print completion and `cd` for this shell, nothing else."
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the suggested .conductor.yaml without a question.")] = False,
    as_json: Json = False,
) -> None:
    """Look whether workers can stand here, suggest a .conductor.yaml, tell the next command. Safe to repeat."""
    going.init(shell=shell, yes=yes, as_json=as_json)
