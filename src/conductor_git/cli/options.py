"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Task = Annotated[str, typer.Argument(metavar="TASK", help="The task.", show_default=False)]
TaskHere = Annotated[
    str | None, typer.Argument(metavar="TASK", help="The task; inside a worktree, its own.", show_default=False)
]
Why = Annotated[str | None, typer.Option("--message", "-m", metavar="TEXT", help="Why.")]
As = Annotated[
    str | None, typer.Option("--as", metavar="REVIEWER", help="The reviewer; by default your git user name.")
]


def panel(name: str) -> str:
    """The help panel `name`; one place, so that commands of one kind stand together."""
    return {
        "work": "Work on a task",
        "review": "Review and land",
        "look": "Look",
        "bus": "Talk",
        "care": "Care",
        "try": "Try",
    }[name]
