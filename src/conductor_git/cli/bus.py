"""bus post, read, follow, ack, verify, copy: the shared message log."""

from __future__ import annotations

from typing import Annotated

import typer

from conductor_git.cli import upkeep
from conductor_git.cli.options import Json
from conductor_git.cli.plain import messages, posting

app = typer.Typer(no_args_is_help=True, help="The message log that everyone shares: post, read, follow, check, move.")

Types = Annotated[list[str] | None, typer.Option("--type", metavar="T", help="Only this type; repeat for more.")]
OfTask = Annotated[str | None, typer.Option("--task", metavar="T", help="Only of this task.")]
Since = Annotated[str | None, typer.Option(metavar="ID", help="Only what came after this message.")]
Reader = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Only what this reader has not acknowledged yet.")
]
BusOption = Annotated[
    str | None, typer.Option("--bus", metavar="PATH_OR_URL", help="Another bus than this repository's.")
]


@app.command(epilog="Example: conductor-git bus post --type DECISION 'we keep the old endpoint'")
def post(  # noqa: PLR0913, PLR0917 - one parameter an option
    body: Annotated[
        str | None, typer.Argument(metavar="BODY | -", help="The message; - reads it from stdin.", show_default=False)
    ] = None,
    kind: Annotated[
        str, typer.Option("--type", metavar="T", help="Any word in capitals but those of the coordinator.")
    ] = posting.DEFAULT_TYPE,
    task: Annotated[str | None, typer.Option(metavar="T", help="By default the worker's own.")] = None,
    parent: Annotated[
        list[str] | None, typer.Option(metavar="ID[:KIND]", help="A message that it answers; repeat for more.")
    ] = None,
    meta: Annotated[list[str] | None, typer.Option(metavar="K=V", help="A fact for programs; repeat for more.")] = None,
    attach: Annotated[
        str | None, typer.Option(metavar="PATH", help="A file that goes with it, copied beside the bus.")
    ] = None,
    link: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A link that goes with it; repeat for more.")
    ] = None,
    bus: BusOption = None,
    as_json: Json = False,
) -> None:
    """Post a message and print its id, once it is on disk."""
    posting.post(
        body=body,
        kind=kind,
        task=task,
        parents=parent or (),
        meta=meta or (),
        attach=attach,
        links=link or (),
        bus=bus,
        as_json=as_json,
    )


@app.command(epilog="Example: conductor-git bus read --tail 20 --type REVIEW")
def read(  # noqa: PLR0913, PLR0917 - one parameter an option
    since: Since = None,
    tail: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the last N.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most N, oldest first.")] = None,
    kind: Types = None,
    task: OfTask = None,
    thread: Annotated[
        str | None, typer.Option(metavar="ID", help="The conversation that this message belongs to.")
    ] = None,
    reader: Reader = None,
    ack: Annotated[bool, typer.Option("--ack", help="Acknowledge what was printed, once it was.")] = False,
    bus: BusOption = None,
    as_json: Json = False,
) -> None:
    """Print messages, oldest first."""
    messages.read(
        since=since,
        tail=tail,
        limit=limit,
        kinds=kind or (),
        task=task,
        thread=thread,
        reader=reader,
        ack=ack,
        bus=bus,
        as_json=as_json,
    )


@app.command(epilog="Example: conductor-git bus follow --task fix-login")
def follow(
    since: Since = None,
    kind: Types = None,
    task: OfTask = None,
    reader: Reader = None,
    ack: Annotated[bool, typer.Option("--ack", help="Acknowledge each message, once it was printed.")] = False,
    bus: BusOption = None,
    as_json: Json = False,
) -> None:
    """Print new messages as they come, until ^C; with --json one document a line."""
    messages.follow(since=since, kinds=kind or (), task=task, reader=reader, ack=ack, bus=bus, as_json=as_json)


@app.command(epilog="Example: conductor-git bus ack MSG-20261120-101502-123456789-PID04242-0001 --as reviewer-1")
def ack(
    message: Annotated[str, typer.Argument(metavar="ID", help="The last message dealt with.", show_default=False)],
    reader: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Who has dealt with it.")] = None,
    bus: BusOption = None,
    as_json: Json = False,
) -> None:
    """Acknowledge everything up to a message, and print the cursor in force."""
    messages.acknowledge(message=message, reader=reader, bus=bus, as_json=as_json)


@app.command(epilog="Example: conductor-git bus verify")
def verify(bus: BusOption = None, as_json: Json = False) -> None:
    """Check every message's frame, length, checksum and order."""
    upkeep.verify(bus=bus, as_json=as_json)


@app.command(epilog="Example: conductor-git bus copy file sqlite")
def copy(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="A bus by path or URL, or this project's: file, sqlite.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same; between the project's two, the bus moves.")],
    as_json: Json = False,
) -> None:
    """Copy a bus, ids kept; from the project's own to its other backend, move it."""
    upkeep.copy(source=source, target=target, as_json=as_json)
