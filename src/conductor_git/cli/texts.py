"""What `diff` and `log` print, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys

from conductor_git.cli.here import onlooker
from conductor_git.cli.output import document, in_colour, page, printable
from conductor_git.errors import BadInput


def diff(*, task: str | None = None, stat: bool = False, name_only: bool = False, as_json: bool = False) -> None:
    """Show what landing would bring: from the merge base to the task's head."""
    from conductor_git.workflow.diff import Form
    from conductor_git.workflow.diff import diff as compare

    place = onlooker()
    task_id = place.task(task)
    form = Form.NAMES if name_only else Form.STAT if stat else Form.PATCH
    found = compare(place.project, task_id, form, colour=in_colour(sys.stdout) and not as_json)
    if as_json:
        document(
            task_id=task_id, base_commit=found.base, head_commit=found.head, files=list(found.files), diff=found.text
        )
    elif sys.stdout.isatty() and form is Form.PATCH:
        page(found.text)
    else:
        print(found.text, end="")


def log(
    *, task: str, follow: bool = False, attempt: int | None = None, stderr: bool = False, as_json: bool = False
) -> None:
    """What the task's agent printed."""
    from conductor_git.workflow.log import attempt_log, pieces

    place = onlooker()
    found = attempt_log(place.project, place.task(task), number=attempt, stderr=stderr)
    if as_json:
        if follow:
            raise BadInput("--json prints one document, and -f never ends", hint=f"conductor-git log {task} --json")
        text = b"".join(pieces(place.project, found, follow=False)).decode("utf-8", "replace")
        document(task_id=str(found.task_id), run_id=str(found.run_id), path=str(found.path), log=text)
        return
    for piece in pieces(place.project, found, follow=follow):
        say_raw(piece)


def say_raw(piece: bytes) -> None:
    """An agent's own bytes: as they are into a pipe, without terminal controls on a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(printable(piece.decode("utf-8", "replace")))
    else:
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()
