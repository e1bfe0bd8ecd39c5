"""bus post, read, follow, verify: the shared message log."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from conductor_git.cli import messages, posting
from conductor_git.cli.messages import rendered
from conductor_git.cli.options import Json
from conductor_git.cli.output import document, narrate, say
from conductor_git.errors import BusDamaged
from conductor_git.message import message_document
from conductor_git.names import parse_task_id

app = typer.Typer(no_args_is_help=True, help="The message log that everyone shares: post, read, follow, verify.")

Types = Annotated[list[str] | None, typer.Option("--type", metavar="T", help="Only this type; repeat for more.")]
OfTask = Annotated[str | None, typer.Option("--task", metavar="T", help="Only of this task.")]
Since = Annotated[str | None, typer.Option(metavar="ID", help="Only what came after this message.")]
BusOption = Annotated[str | None, typer.Option("--bus", metavar="PATH", help="A bus outside this repository.")]


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
    attach: Annotated[str | None, typer.Option(metavar="PATH", help="A file that goes with it.")] = None,
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
def read(
    since: Since = None,
    tail: Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the last N.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most N, oldest first.")] = None,
    kind: Types = None,
    task: OfTask = None,
    bus: BusOption = None,
    as_json: Json = False,
) -> None:
    """Print messages, oldest first."""
    messages.read(since=since, tail=tail, limit=limit, kinds=kind or (), task=task, bus=bus, as_json=as_json)


@app.command(epilog="Example: conductor-git bus follow --task fix-login")
def follow(
    since: Since = None,
    kind: Types = None,
    task: OfTask = None,
    bus: BusOption = None,
    as_json: Json = False,
) -> None:
    """Print new messages as they come, until ^C; with --json one document a line."""
    log, _ = posting.open_bus(bus)
    task_id = parse_task_id(task) if task else None
    if since is None:
        last = log.tail(1)
        since = last[-1].msg_id if last else None
    for message in log.follow(since, tuple(kind or ()), task_id):
        if as_json:
            document(message=message_document(message))
        else:
            print(rendered(message))
        sys.stdout.flush()


@app.command(epilog="Example: conductor-git bus verify")
def verify(bus: BusOption = None, as_json: Json = False) -> None:
    """Check every message's frame, length, checksum and order."""
    log, _ = posting.open_bus(bus)
    report = log.verify()
    places = [{"offset": spot.offset, "length": spot.length, "reason": spot.reason} for spot in report.damage]
    if not report.is_sound:
        raise BusDamaged(
            f"the bus has {report.damaged} damaged places and {len(report.disordered)} messages out of order; "
            f"{report.messages} messages are whole",
            hint="conductor-git bus read",
            messages=report.messages,
            damage=places,
            disordered=list(report.disordered),
            flush_failed=report.flush_failed,
        )
    if as_json:
        document(messages=report.messages, recovered=report.recovered, torn=report.torn)
        return
    say(f"{report.messages} messages, all whole and in order")
    if report.torn is not None:
        narrate("○", f"an unfinished message at the end (byte {report.torn}) goes to the quarantine at the next post")
