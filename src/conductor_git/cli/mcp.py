"""mcp: the tools of a worker, or of a coordinator, for an agent that speaks MCP."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import typer

from conductor_git.cli.here import Here, here, picker, reviewer
from conductor_git.cli.options import As, panel
from conductor_git.cli.output import narrate
from conductor_git.errors import ExtraMissing, WrongWorker
from conductor_git.run import utcnow
from conductor_git.settings import settle_bus

app = typer.Typer()


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git mcp --as ada")
def mcp(as_reviewer: As = None) -> None:
    """Serve MCP on standard input and output: a worker's tools in its worktree, a coordinator's elsewhere."""
    _require_extra()
    place = here()
    _require_one(place)
    from conductor_git.mcp.seat import Seat
    from conductor_git.mcp.server import serve

    if place.context is None:
        settle_bus(place.project)
    seat = Seat(place.project, place.actor, reviewer(place, as_reviewer), utcnow, place.context)
    who = "a coordinator" if place.context is None else f"the worker of {place.context.task_id}"
    narrate("◎", f"answering {who} over MCP until standard input ends")
    _end_at_once()
    serve(seat, _told)


def _require_extra() -> None:
    if find_spec("mcp") is None:
        raise ExtraMissing(
            "mcp needs a package that is not installed: mcp",
            hint="pip install 'conductor-git[mcp]'",
            extra="mcp",
            missing=["mcp"],
        )


def _require_one(place: Here) -> None:
    """A server speaks for one worker: an agent's own environment and the place it starts it in have to agree."""
    own = place.context.task_id if place.context else None
    if (speaker := picker(place).speaker) not in (None, own):
        raise WrongWorker(
            f"this is the worker of {speaker}, and the server would speak for {own or 'a coordinator'}",
            hint=f"conductor-git show {speaker}",
            task_id=own,
            worker=speaker,
        )


def _end_at_once() -> None:
    """At a signal the process ends as at a kill, which every workflow stands: the protocol's reader sleeps in a thread
    that nothing else ends."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _told(error: Exception) -> Mapping[str, Any]:
    from conductor_git.cli.bug import bug_error
    from conductor_git.cli.main import of_the_system

    refused = of_the_system(error)
    return bug_error(error, ["mcp"]) if refused is None else refused.document()
