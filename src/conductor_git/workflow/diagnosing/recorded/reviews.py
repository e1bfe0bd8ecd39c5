"""Reviews against records: what counts as approved and is not, and reviews that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from conductor_git import journal
from conductor_git.errors import BadRecord
from conductor_git.history import tip_of
from conductor_git.layout import Layout
from conductor_git.names import TaskId, short
from conductor_git.project import Project
from conductor_git.review import approvals
from conductor_git.run import Event, Run, State
from conductor_git.store.reviews import FileReviews
from conductor_git.transition import move
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground, set_aside


def _find(ground: Ground) -> Iterator[Finding]:
    for run in ground.live:
        try:
            said = _lacks(ground.layout, run)
        except (BadRecord, OSError) as bad:
            words = bad.message if isinstance(bad, BadRecord) else f"the reviews of {run.task_id} cannot be read: {bad}"
            look = f"conductor-git bus read --task {run.task_id} --type REVIEW"
            yield Finding("REVIEW_UNREADABLE", run.task_id, words, look, run.task_id)
            continue
        if said:
            words = f"{run.task_id} is APPROVED by its record, and {said}"
            yield Finding("APPROVAL_MISSING", run.task_id, words, f"conductor-git show {run.task_id}", run.task_id)


def _lacks(layout: Layout, run: Run) -> str:
    """What an approved task has not that every landing asks for; "" for nothing. `BadRecord` for a review of it."""
    given = FileReviews(layout).all(run.task_id)
    if run.state is not State.APPROVED or (run.history and run.history[-1].state is not State.APPROVED):
        return ""  # a record that contradicts itself is told as that
    if run.head_commit is None or run.approved_commit != run.head_commit:
        return f"{short(run.approved_commit) or 'no commit'} is not what was handed in"
    count = len(approvals(given, run.head_commit))
    if count >= run.reviews_required:
        return ""
    return f"{short(run.head_commit)} has {count} of {run.reviews_required} approvals"


def _back_into_review(project: Project, finding: Finding, at: datetime) -> str:
    """IN_REVIEW of the commit that was handed in, as a step like any other: what was approved of it still counts."""
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        run = project.runs.get(task_id)
        said = _lacks(project.layout, run)
        if not said:
            return ""
        commit = run.head_commit or tip_of(project.git, run.branch_ref) or run.base_commit
        move(
            project,
            task_id,
            Event.SUPERSEDE,
            at=at,
            by="doctor",
            commit=commit,
            note=said,
            also=lambda now: replace(now, head_commit=commit, approved_commit=None),
        )
        return f"{task_id} is in review again: {said}"


def _begin_anew(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    """All reviews of the task go: the one that cannot be read may have taken back what an earlier one approved."""
    task_id = TaskId(finding.subject)
    with journal.operation(project.layout, task_id, "doctor"):
        try:
            FileReviews(project.layout).all(task_id)
        except (BadRecord, OSError):
            aside = set_aside(project.layout, project.layout.reviews(task_id), task_id)
            return f"the reviews of {task_id} are in {aside}, and it has to be reviewed again"
        return ""


REVIEWS = Family(_find, {"REVIEW_UNREADABLE": _begin_anew, "APPROVAL_MISSING": _back_into_review})
