"""conflicts: who will collide with whom, before either is done."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from conductor_git.cli.here import here
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import coloured, document, narrate, printable, table
from conductor_git.foresight.foresee import Met
from conductor_git.names import TaskId, parse_task_id
from conductor_git.wording import counted
from conductor_git.workflow.conflicts import Prospect
from conductor_git.workflow.documents.prospect import concerning, prospect_document
from conductor_git.workflow.foretell import foretell

app = typer.Typer()

_HEADER = ("TASK", "WITH", "FILES", "WORK")


@app.command(rich_help_panel=panel("look"), epilog="Example: conductor-git conflicts fix-login")
def conflicts(
    task: Annotated[
        str | None, typer.Argument(metavar="TASK", help="Only this task's; by default all.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Which live workers will collide, with each other or with their target, uncommitted work included."""
    place = here()
    wanted = None if task is None else place.project.runs.get(parse_task_id(task)).task_id
    found = foretell(place.project)
    if as_json:
        document(**prospect_document(found, wanted))
        return
    between, targets, notes = concerning(found, wanted)
    for task_id, note in sorted(notes.items()):
        narrate("▲", f"{task_id}: {note}")
    if between or targets:
        print(_table(found, between, targets, wanted))
        if wanted is None:
            narrate("○", f"suggested landing order: {', '.join(found.order)}")
    else:
        narrate("✓", _nothing(found, wanted))


def _table(found: Prospect, between: list[Met], targets: list[Met], wanted: TaskId | None) -> str:
    rows = [_row(met, met.second) for met in between]
    if wanted is not None:
        rows = [(wanted, met.second if met.first == wanted else met.first, *_row(met, "")[2:]) for met in between]
    rows += [_row(met, f"{found.runs[met.first].target} (target)") for met in targets]
    head, *lines = table(_HEADER, sorted(rows), sys.stdout).split("\n")
    return "\n".join([coloured(head, "2", sys.stdout), *lines])


def _row(met: Met, other: str) -> tuple[str, str, str, str]:
    files = printable(", ".join(met.files)).replace("\n", " ").replace("\t", " ")
    return (met.first, other, files, "uncommitted" if met.uncommitted else "")


def _nothing(found: Prospect, wanted: TaskId | None) -> str:
    if wanted is None:
        return f"no collision among {counted(len(found.runs), 'live worker')}"
    if wanted not in found.runs:
        return f"{wanted} is no live worker, and collides with nobody"
    return f"{wanted} collides with none of {counted(len(found.runs) - 1, 'other live worker')}"
