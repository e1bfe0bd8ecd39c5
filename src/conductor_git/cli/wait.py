"""wait: until other tasks are as far as is asked."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from conductor_git.cli.documents import task_document
from conductor_git.cli.here import Here, here, picker
from conductor_git.cli.options import Json, panel
from conductor_git.cli.output import document, narrate, say
from conductor_git.config.duration import parse_duration
from conductor_git.errors import BadInput
from conductor_git.names import TaskId, parse_task_id
from conductor_git.workflow.family.kin import children_ids
from conductor_git.workflow.wait import Until, beating, require_another
from conductor_git.workflow.wait import wait as arrivals

app = typer.Typer()


@app.command(
    rich_help_panel=panel("look"), epilog="Example: conductor-git wait --children --until review --timeout 30m"
)
def wait(
    tasks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TASK…", help="The tasks; inside a worktree, by default its sub-tasks.", show_default=False
        ),
    ] = None,
    children: Annotated[
        bool, typer.Option("--children", help="The sub-tasks of each TASK, or of this worktree's, instead.")
    ] = False,
    until: Annotated[Until, typer.Option(metavar="final|review|landed", help="How far each has to get.")] = Until.FINAL,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Give up after so long, such as 90s or 10m; else never.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Wait until tasks are final, in review or landed; prints each as it gets there."""
    place = here()
    by = picker(place)
    seconds = None if timeout is None else _seconds(timeout)
    wanted = _wanted(place, by.speaker, tasks or (), children)
    require_another(wanted, by)
    arrived = []
    if not wanted:
        narrate("○", "there are no sub-tasks to wait for")
    with beating(place.project, by):
        for run in arrivals(place.project, wanted, until, seconds=seconds, tell=_told):
            arrived.append(run)
            if not as_json:
                say(f"{run.task_id} {run.state}")
                sys.stdout.flush()
    if as_json:
        document(tasks=[task_document(run) for run in arrived])


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout)
    except ValueError as wrong:
        raise BadInput(f"--timeout {wrong}", hint="conductor-git wait --help") from wrong


def _wanted(place: Here, speaker: TaskId | None, named: Sequence[str], children: bool) -> tuple[TaskId, ...]:
    """The tasks that are waited for, each once; `NotFound` for a parent that is none."""
    tasks = list(map(parse_task_id, named))
    if not tasks and speaker is None:
        raise BadInput("which TASK? it can be left out only inside a worker's worktree", hint="conductor-git status")
    if tasks and not children:
        return tuple(dict.fromkeys(tasks))
    parents = tasks or [speaker for speaker in [speaker] if speaker is not None]
    for parent in parents:
        place.project.runs.get(parent)
    return tuple(dict.fromkeys(child for parent in parents for child in children_ids(place.project, parent)))


def _told(text: str) -> None:
    narrate("○", text)
