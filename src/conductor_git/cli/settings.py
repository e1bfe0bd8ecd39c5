"""config check, schema, trust: what is configured, where it came from, and what of it may run."""

from __future__ import annotations

import json
import sys

import typer

from conductor_git.cli.here import onlooker
from conductor_git.cli.options import Json
from conductor_git.cli.output import document, narrate, say, table
from conductor_git.wording import counted

app = typer.Typer(no_args_is_help=True, help="The config, and trust in its commands: check, schema, trust.")


@app.command(epilog="Example: conductor-git config check")
def check(as_json: Json = False) -> None:
    """Show each value and where it came from."""
    from conductor_git.settings import resolved

    settings = resolved(onlooker().project).settings
    if as_json:
        from conductor_git.workflow.documents.setting import settings_document

        document(**settings_document(settings))
        return
    rows = [
        (item.key, item.value if isinstance(item.value, str) else json.dumps(item.value), item.origin)
        for item in settings
    ]
    print(table(("KEY", "VALUE", "FROM"), rows, sys.stdout))


@app.command(epilog="Example: conductor-git config schema > conductor.schema.json")
def schema(as_json: Json = False) -> None:  # noqa: ARG001 - it is JSON either way
    """Print the JSON schema of .conductor.yaml, for editors."""
    from conductor_git.config.model import schema as of_config

    document(**of_config())


@app.command(epilog="Example: conductor-git config trust --yes")
def trust(
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    as_json: Json = False,
) -> None:
    """Agree to run the commands of the project's config on this machine, as they are now."""
    from conductor_git.workflow.trust import agree, commands

    place = onlooker()
    listed = commands(place.project)
    for key, words in listed:
        narrate("○", f"{key}: {' '.join(words)}")
    if listed and not yes and sys.stdin.isatty() and not typer.confirm("Run these on this machine?", err=True):
        raise typer.Exit(1)
    changed = agree(place.project)
    if as_json:
        document(commands=[{"key": key, "run": " ".join(words)} for key, words in listed], git_config=list(changed))
        return
    say(f"{counted(len(listed), 'command')} trusted" if listed else "the config runs no command")
    if changed:
        narrate("✓", f"agreed to the git config as it is now: {', '.join(changed)}")
