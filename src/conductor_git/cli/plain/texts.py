"""What `diff` and `log` print, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

import sys

from conductor_git.cli.here import onlooker
from conductor_git.cli.output import document, in_colour, page, printable
from conductor_git.errors import BadInput


def diff(
    *,
    task: str | None = None,
    stat: bool = False,
    name_only: bool = False,
    comments: bool | None = None,
    as_json: bool = False,
) -> None:
    """Show what landing would bring: from the merge base to the task's head.

    Comments are shown to a person at a terminal, elsewhere only when asked for: a patch in a pipe is git's.
    """
    from conductor_git.workflow.diff import Form, remarks
    from conductor_git.workflow.diff import diff as compare

    place = onlooker()
    task_id = place.task(task)
    form = Form.NAMES if name_only else Form.STAT if stat else Form.PATCH
    if comments and form is not Form.PATCH:
        raise BadInput("--comments stand in the patch, so not with --stat or --name-only", hint="conductor-git diff")
    wanted = form is Form.PATCH and not as_json and (sys.stdout.isatty() if comments is None else comments)
    colour = in_colour(sys.stdout) and not as_json
    found = compare(place.project, task_id, form, colour=colour, to_comment=wanted)
    said = remarks(place.project, task_id, found.head) if wanted or as_json else ()
    if as_json:
        from conductor_git.workflow.documents.diff import diff_document

        document(**diff_document(task_id, found, said))
        return
    text = found.text
    if said:
        from conductor_git.cli.inline import with_comments

        text = with_comments(text, said, sys.stdout)
    if sys.stdout.isatty() and form is Form.PATCH:
        page(text)
    else:
        sys.stdout.write(text)


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
