"""ctx, for the forms that the hot path leaves alone."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli.options import Json, panel
from conductor_git.cli.plain.worker_actions import ctx as tell

app = typer.Typer()


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git ctx --field branch")
def ctx(
    field: Annotated[str | None, typer.Option("--field", metavar="NAME", help="Only this field.")] = None,
    export: Annotated[
        str | None, typer.Option("--export", metavar="sh|json", help="As shell variables or JSON.")
    ] = None,
    guide: Annotated[bool, typer.Option("--guide", help="How any agent works here, for a skill or AGENTS.md.")] = False,
    as_json: Json = False,
) -> None:
    """Who am I, what am I asked, what did reviewers say, what is new on the bus."""
    tell(field=field, export=export, guide=guide, as_json=as_json)
