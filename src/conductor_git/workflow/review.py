"""approve and request-changes: a verdict of one reviewer on one commit."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.environment import inherited
from conductor_git.errors import BadInput, Superseded
from conductor_git.history import tip_of
from conductor_git.masking import mask, secret_values
from conductor_git.message import Message
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project
from conductor_git.record import BadField, parse_commit
from conductor_git.review import LineComment, Review, Verdict, approvals, ready, require_bounded
from conductor_git.run import Event, Run, State, illegal
from conductor_git.store.reviews import FileReviews
from conductor_git.transition import following, message_of, move
from conductor_git.workflow.reviewing.remarks import require_there
from conductor_git.workflow.reviewing.reviewer import require_reviewer

_TOLD_LINES: Final = 200
_TOLD_CHARACTERS: Final = 32 * 1024
_NOTE: Final = 200


@dataclass(frozen=True, slots=True)
class _Said:
    """What a reviewer has to say, without secrets and within the limits."""

    verdict: Verdict
    body: str
    comments: tuple[LineComment, ...]
    commit: CommitId | None
    """The commit that the reviewer means; None is whatever is in review."""


class Give(Protocol):
    """`approve` or `request_changes`, for those who are told by their caller which."""

    def __call__(
        self,
        project: Project,
        task_id: TaskId,
        *,
        by: Actor,
        at: datetime,
        commit: str | None = None,
        body: str = "",
        comments: Sequence[LineComment] = (),
    ) -> Run: ...


def approve(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: datetime,
    commit: str | None = None,
    body: str = "",
    comments: Sequence[LineComment] = (),
) -> Run:
    """Approve the commit in review. With enough distinct approvals of it: IN_REVIEW → APPROVED.

    A `commit` that is not the one in review, or a branch that has moved on, raises `Superseded`; the review of the
    new commit starts from none. A worker cannot approve its own task. The verdict of a reviewer's task completes that
    task too, in the same operation.
    """
    return _give(project, task_id, by, at, _said(Verdict.APPROVE, body, comments, commit))


def request_changes(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: datetime,
    commit: str | None = None,
    body: str = "",
    comments: Sequence[LineComment] = (),
) -> Run:
    """Send the task back to WORKING with what is to change; the same worktree and branch go on.

    A comment on a file or line that the commit does not have is refused (`NotFound`), and nothing of the review kept;
    so is a review of a `commit` that is not the one in review (`Superseded`).
    """
    return _give(project, task_id, by, at, _said(Verdict.REQUEST_CHANGES, body, comments, commit))


def _said(verdict: Verdict, body: str, comments: Sequence[LineComment], commit: str | None) -> _Said:
    secrets = secret_values(inherited())
    body = mask(ready(body), secrets)
    kept = tuple(
        replace(comment, path=ready(comment.path), body=mask(ready(comment.body), secrets)) for comment in comments
    )
    require_bounded(body, kept)
    return _Said(verdict, body, kept, None if commit is None else _whole(commit))


def _whole(commit: str) -> CommitId:
    """A reviewer approves a commit, not what a name or the beginning of an id stands for at the moment."""
    try:
        return parse_commit(commit)
    except BadField as bad:
        raise BadInput(
            f"a review takes the whole id of a commit: {bad}",
            hint=f"git rev-parse --verify {shlex.quote(commit[:80])}",
            commit=commit[:80],
        ) from bad


def _give(project: Project, task_id: TaskId, by: Actor, at: datetime, said: _Said) -> Run:
    project.runs.get(task_id)
    with journal.operation(project.layout, task_id, _VERBS[said.verdict]) as held:
        project = project.holding(held)
        run = project.runs.get(task_id)
        reviewer = require_reviewer(project, run, by)
        with _completing(project, reviewer, at) as complete:
            reviewed = _reviewable(project, run, by, at, said.commit)
            _require_its_commit(run, reviewer)
            require_there(project, run, said.comments)
            review = _record(project, run, reviewed, by, at, said)
            with following(run):
                project.bus.append(told(run, review))
                run = take_effect(project, run, review, at)
                complete(review)
    return run


_VERBS: Final = {Verdict.APPROVE: "approve", Verdict.REQUEST_CHANGES: "request-changes"}


@contextmanager
def _completing(project: Project, reviewer: Run | None, at: datetime) -> Iterator[Callable[[Review], object]]:
    """An operation on the reviewer's task around the verdict, so that a kill between the two records is mended."""
    if reviewer is None:
        yield lambda review: None
        return
    with journal.operation(project.layout, reviewer.task_id, "reviewed") as held:
        holding = project.holding(held)
        yield lambda review: complete_reviewer(holding, reviewer.task_id, review, at)


def complete_reviewer(project: Project, task_id: TaskId, review: Review, at: datetime) -> Run:
    """The reviewer's task has done its work: `review` is its verdict."""
    said = f"{review.verdict} of {short(review.commit)}"
    return move(
        project,
        task_id,
        Event.REVIEWED,
        at=at,
        by=task_id,
        commit=review.commit,
        note=said,
        also=lambda now: replace(now, summary=said),
    )


def _reviewable(project: Project, run: Run, by: Actor, at: datetime, commit: CommitId | None) -> CommitId:
    """The commit in review, which the branch is at and the reviewer means."""
    require_in_review(run)
    require_at_head(project, run, tip_of(project.git, run.branch_ref), by, at)
    assert run.head_commit is not None  # IN_REVIEW and APPROVED always have one
    if commit is not None and commit != run.head_commit:
        raise _superseded(run, run.head_commit, f"{short(commit)} is not the commit in review")
    return run.head_commit


def _require_its_commit(run: Run, reviewer: Run | None) -> None:
    if reviewer is not None and reviewer.base_commit != run.head_commit:
        again = f"conductor-git cancel {reviewer.task_id} && conductor-git retry {reviewer.task_id}"
        why = f"{reviewer.task_id} looked at {short(reviewer.base_commit)}, and {short(run.head_commit)} is in review"
        raise _superseded(run, run.head_commit, why, hint=again)


def require_in_review(run: Run) -> None:
    if run.state not in (State.IN_REVIEW, State.APPROVED):
        raise illegal(run, "review", f"{run.task_id} is {run.state}: nothing of it is in review")


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


def _superseded(run: Run, head: CommitId | None, why: str, *, hint: str = "") -> Superseded:
    return Superseded(
        f"{why}; it has to be reviewed as it is now",
        hint=hint or f"conductor-git diff {run.task_id}",
        task_id=run.task_id,
        approved_commit=run.approved_commit,
        head_commit=head,
    )


def _record(project: Project, run: Run, reviewed: CommitId, by: Actor, at: datetime, said: _Said) -> Review:
    def make(number: int) -> Review:
        return Review(number, by.name, said.verdict, reviewed, said.body, at, said.comments)

    return FileReviews(project.layout).add(run.task_id, make)


def take_effect(project: Project, run: Run, review: Review, at: datetime) -> Run:
    """The task after `review`: sent back, or approved if it is now and was not."""
    if review.verdict is Verdict.REQUEST_CHANGES:
        return move(
            project,
            run.task_id,
            Event.REQUEST_CHANGES,
            at=at,
            by=review.reviewer,
            commit=review.commit,
            note=review.body.strip().partition("\n")[0][:_NOTE] or None,
            also=lambda now: replace(now, approved_commit=None),
        )
    count = len(approvals(FileReviews(project.layout).all(run.task_id), review.commit))
    if run.state is State.APPROVED or count < run.reviews_required:
        return run
    return move(
        project,
        run.task_id,
        Event.APPROVE,
        at=at,
        by=review.reviewer,
        commit=review.commit,
        also=lambda now: replace(now, approved_commit=review.commit),
    )


def told(run: Run, review: Review) -> Message:
    """The bus's word on a review; what is long is cut, and the record has the rest."""
    lines = [f"{review.reviewer}: {review.verdict} {short(review.commit)}", *review.body.splitlines()]
    lines += [f"{comment.path}:{comment.line}: {comment.body}" for comment in review.comments]
    meta = {"verdict": str(review.verdict), "reviewer": review.reviewer, "commit": review.commit}
    meta["number"] = str(review.number)
    return message_of(run, "REVIEW", _cut(lines, f"conductor-git show {run.task_id}"), meta)


def _cut(lines: Sequence[str], command: str) -> str:
    text = "\n".join(lines[:_TOLD_LINES])
    if len(lines) <= _TOLD_LINES and len(text) <= _TOLD_CHARACTERS:
        return text
    return f"{text[:_TOLD_CHARACTERS]}\n… and more: {command}"
