"""An approved task that is about to land: what has to be true of it, looked at with its lock held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from conductor_git.actor import Actor
from conductor_git.errors import NeedsUnmet, NotFound, Superseded
from conductor_git.landing.order import unmet
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project
from conductor_git.review import approvals
from conductor_git.run import Event, Run, State, illegal
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.review import require_at_head


@dataclass(frozen=True, slots=True)
class Candidate:
    """A task whose branch is at the commit that `reviewers` have approved."""

    run: Run
    approved: CommitId
    reviewers: tuple[str, ...]


def candidate(
    project: Project, run: Run, tip: CommitId | None, *, by: Actor, at: datetime, look_only: bool
) -> Candidate:
    """`run` as a candidate, its branch being at `tip`; `Superseded` puts it back into review."""
    require_approved(run)
    require_at_head(project, run, tip, by, at, look_only=look_only)
    reviewers = approvals(FileReviews(project.layout).all(run.task_id), run.head_commit) if run.head_commit else ()
    if run.approved_commit is None or run.approved_commit != run.head_commit or len(reviewers) < run.reviews_required:
        raise Superseded(
            f"{short(run.head_commit)} has {len(reviewers)} of {run.reviews_required} approvals",
            hint=f"conductor-git approve {run.task_id}",
            task_id=run.task_id,
            approved_commit=run.approved_commit,
            head_commit=run.head_commit,
        )
    return Candidate(run, run.approved_commit, reviewers)


def require_approved(run: Run) -> None:
    if run.state is not State.APPROVED:
        raise illegal(run, Event.MERGE, f"{run.task_id} is {run.state}; only an approved task can land")


def missing_needs(project: Project, run: Run) -> tuple[TaskId, ...]:
    """The tasks that `run` needs and that have not landed, those that are not there at all among them."""
    known = {}
    for need in run.needs:
        try:
            known[need] = project.runs.get(need)
        except NotFound:
            continue
    return unmet(run, known)


def needs_unmet(run: Run, missing: tuple[TaskId, ...]) -> NeedsUnmet:
    return NeedsUnmet(
        f"{run.task_id} needs {', '.join(missing)}, which has not landed",
        hint=f"conductor-git show {missing[0]}",
        task_id=run.task_id,
        needs=list(missing),
    )
