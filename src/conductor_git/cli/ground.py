"""What `init` says of the ground, and the suggested config: shown, asked about, written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from conductor_git.cli.here import here
from conductor_git.cli.output import document, narrate, say
from conductor_git.run import utcnow
from conductor_git.workflow.init import Ground, look, write_config


def begin(*, yes: bool, as_json: bool) -> None:
    """Look, and write the suggested config where there is none and somebody says yes."""
    project = here().project
    ground = look(project, Path.cwd(), now=utcnow())
    wants = ground.suggestion is not None and ground.is_writable and (yes or (not as_json and _agreed(ground)))
    is_written = wants and write_config(project, ground)
    if as_json:
        document(**_document(ground, is_written))
        return
    for warning in ground.warnings:
        narrate("▲", warning)
    for fact in ground.facts:
        narrate("○", fact)
    _tell_config(ground, is_written)
    narrate("↳", ground.next_command)


def _agreed(ground: Ground) -> bool:
    """What would be written is the answer of the command, so that a script may take it, too."""
    say((ground.suggestion or "").rstrip("\n"))
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    import typer

    return typer.confirm(f"Write this to {ground.config}?", err=True)


def _tell_config(ground: Ground, is_written: bool) -> None:
    if is_written:
        narrate("✓", f"{ground.config} is written; workers see it once it is committed:")
        narrate("↳", "git add .conductor.yaml && git commit -m 'Set up conductor-git'")
    elif ground.suggestion is None:
        there = ground.config if ground.config.is_file() else f"HEAD:{ground.config.name}"
        narrate("○", f"{there} is there, and stays as it is")
    elif not ground.is_writable:
        narrate("○", "a config would have to be committed: to write one, run init in a worktree of this repository")
    else:
        narrate("○", "nothing was written, and nothing has to be; to write it: conductor-git init --yes")


def _document(ground: Ground, is_written: bool) -> dict[str, Any]:
    return {
        "repository": str(ground.config.parent),
        "config": str(ground.config),
        "is_written": is_written,
        "suggestion": ground.suggestion,
        "kinds": list(ground.kinds),
        "facts": list(ground.facts),
        "warnings": list(ground.warnings),
        "next": ground.next_command,
    }
