"""What approve and request-changes do and say, shared by the plain way in and the ordinary one; imports no Typer."""

from __future__ import annotations

from shlex import quote

from conductor_git.actor import Actor
from conductor_git.cli.here import Here, here, reviewer
from conductor_git.cli.output import narrate
from conductor_git.cli.plain.answering import answer_with
from conductor_git.names import short
from conductor_git.run import State, utcnow


def approve(
    *,
    task: str,
    commit: str | None = None,
    message: str = "",
    as_reviewer: str | None = None,
    as_json: bool = False,
) -> None:
    """Approve exactly the commit in review: IN_REVIEW → APPROVED once enough reviewers have."""
    from conductor_git.workflow.review import approve as give

    place = here()
    by = reviewer(place, as_reviewer)
    run = give(place.project, place.task(task), by=by, at=utcnow(), commit=commit, body=message)
    answer_with(run, as_json=as_json)
    if run.state is State.APPROVED:
        narrate("✓", f"{run.task_id} is approved at {short(run.approved_commit)}")
        narrate("↳", f"conductor-git merge {run.task_id}")
    else:
        narrate("✓", f"the approval of {by.name} is on record; {run.task_id} needs {run.reviews_required} in all")
    _tell_reviewer(place, by)


def request_changes(
    *,
    task: str,
    message: str = "",
    comment: list[str] | None = None,
    comment_old: list[str] | None = None,
    as_reviewer: str | None = None,
    as_json: bool = False,
) -> None:
    """Send the task back to its worker, with comments."""
    from conductor_git.review import Side, parse_comment
    from conductor_git.workflow.review import request_changes as send_back

    place = here()
    by = reviewer(place, as_reviewer)
    run = send_back(
        place.project,
        place.task(task),
        by=by,
        at=utcnow(),
        body=message,
        comments=[
            *(parse_comment(text) for text in comment or ()),
            *(parse_comment(text, Side.OLD) for text in comment_old or ()),
        ],
    )
    answer_with(run, as_json=as_json)
    narrate("✓", f"{run.task_id} goes back to its worker, who reads the review with `conductor-git ctx`")
    _tell_reviewer(place, by)


def _tell_reviewer(place: Here, by: Actor) -> None:
    """A reviewer's worktree goes when its agent has ended; where there is none, whoever sits in it is told how."""
    if place.context is None or place.context.review_of is None or by.worker is None:
        return
    own = place.project.runs.get(by.worker)
    if not own.attempts:
        narrate("○", f"{own.task_id} is {own.state}; its worktree is not needed any more")
        narrate("↳", f"cd {quote(str(place.project.repository))} && git worktree remove {quote(own.worktree)}")
