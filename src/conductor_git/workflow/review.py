"""approve and request-changes: a verdict of one reviewer on one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.errors import IllegalTransition, SelfReview, Superseded
from conductor_git.history import tip_of
from conductor_git.message import Message
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project, commit_of
from conductor_git.review import LineComment, Review, Verdict, approvals
from conductor_git.run import Event, Run, State, next_command
from conductor_git.store.reviews import FileReviews
from conductor_git.transition import message_of, move


def approve(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: datetime,
    commit: str | None = None,
    body: str = "",
) -> Run:
    """Approve the commit in review. With enough distinct approvals of it: IN_REVIEW → APPROVED.

    A `commit` that is not the one in review, or a branch that has moved on, raises `Superseded`; the review of the
    new commit starts from none. A worker cannot approve its own task.
    """
    project.runs.get(task_id)
    with journal.operation(project.layout, task_id, "approve") as held:
        project = project.holding(held)
        run = _reviewable(project, task_id, by, at, commit)
        reviewed = _record(project, run, Verdict.APPROVE, by, at, body, ())
        count = len(approvals(FileReviews(project.layout).all(task_id), reviewed))
        if run.state is State.APPROVED or count < run.reviews_required:
            return run
        return move(
            project,
            task_id,
            Event.APPROVE,
            at=at,
            by=by.name,
            commit=reviewed,
            also=lambda now: replace(now, approved_commit=reviewed),
        )


def request_changes(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: datetime,
    body: str = "",
    comments: Sequence[LineComment] = (),
) -> Run:
    """Send the task back to WORKING with what is to change; the same worktree and branch go on."""
    project.runs.get(task_id)
    with journal.operation(project.layout, task_id, "request-changes") as held:
        project = project.holding(held)
        run = _reviewable(project, task_id, by, at, None)
        reviewed = _record(project, run, Verdict.REQUEST_CHANGES, by, at, body, tuple(comments))
        return move(
            project,
            task_id,
            Event.REQUEST_CHANGES,
            at=at,
            by=by.name,
            commit=reviewed,
            note=body or None,
            also=lambda now: replace(now, approved_commit=None),
        )


def _reviewable(project: Project, task_id: TaskId, by: Actor, at: datetime, commit: str | None) -> Run:
    run = project.runs.get(task_id)
    if by.worker == task_id:
        raise SelfReview(
            f"the worker of {task_id} cannot review its own work",
            hint=f"cd {project.repository} && conductor-git approve {task_id}",
            task_id=task_id,
        )
    if run.state not in (State.IN_REVIEW, State.APPROVED):
        raise IllegalTransition(
            f"{task_id} is {run.state}: nothing of it is in review",
            hint=next_command(run),
            task_id=task_id,
            state=str(run.state),
            event="review",
        )
    require_at_head(project, run, tip_of(project.git, run.branch_ref), by, at)
    if commit is not None and commit_of(project, commit) != run.head_commit:
        raise _superseded(run, run.head_commit, f"{commit} is not the commit in review, {short(run.head_commit)}")
    return run


def require_at_head(
    project: Project, run: Run, tip: CommitId | None, by: Actor, at: datetime, *, look_only: bool = False
) -> None:
    """The branch, which is at `tip`, is where it was handed in.

    If not, the task goes back to IN_REVIEW of its new commit (unless we `look_only`), and `Superseded` says so.
    """
    if tip == run.head_commit:
        return
    if tip is not None and not look_only:
        supersede(project, run, tip, by, at)
    raise _superseded(run, tip, f"{run.branch} moved from {short(run.head_commit)} to {short(tip) or 'nowhere'}")


def supersede(project: Project, run: Run, tip: CommitId, by: Actor, at: datetime) -> Run:
    return move(
        project,
        run.task_id,
        Event.SUPERSEDE,
        at=at,
        by=by.name,
        commit=tip,
        note=f"{run.branch} moved from {short(run.head_commit)} to {short(tip)}; earlier approvals do not count",
        also=lambda now: replace(now, head_commit=tip, approved_commit=None),
    )


def _superseded(run: Run, head: CommitId | None, why: str) -> Superseded:
    return Superseded(
        f"{why}; it has to be reviewed as it is now",
        hint=f"conductor-git diff {run.task_id}",
        task_id=run.task_id,
        approved_commit=run.approved_commit,
        head_commit=head,
    )


def _record(
    project: Project,
    run: Run,
    verdict: Verdict,
    by: Actor,
    at: datetime,
    body: str,
    comments: tuple[LineComment, ...],
) -> CommitId:
    reviewed = run.head_commit
    assert reviewed is not None  # IN_REVIEW and APPROVED always have one
    review = FileReviews(project.layout).add(
        run.task_id,
        lambda number: Review(
            number=number, reviewer=by.name, verdict=verdict, commit=reviewed, body=body, comments=comments, at=at
        ),
    )
    project.bus.append(_told(run, review))
    return reviewed


def _told(run: Run, review: Review) -> Message:
    lines = [f"{review.reviewer}: {review.verdict} {short(review.commit)}", *([review.body] if review.body else [])]
    lines += [f"{comment.path}:{comment.line}: {comment.body}" for comment in review.comments]
    meta = {"verdict": str(review.verdict), "reviewer": review.reviewer, "commit": review.commit}
    return message_of(run, "REVIEW", "\n".join(lines), meta)
