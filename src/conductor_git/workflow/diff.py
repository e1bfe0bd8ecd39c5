"""diff: what landing a task would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conductor_git import integration
from conductor_git.errors import NotFound
from conductor_git.history import tip_of
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project
from conductor_git.review import LineComment, Review, is_outdated
from conductor_git.run import Run, State
from conductor_git.store.reviews import FileReviews

_PLAIN_FORM: Final = ("--src-prefix=a/", "--dst-prefix=b/", "--submodule=short", "--no-relative")
"""Against settings of the user's that give a patch another form than `patch.parts` reads."""


class Form(StrEnum):
    PATCH = "--patch"
    STAT = "--stat"
    NAMES = "--name-only"


@dataclass(frozen=True, slots=True)
class Difference:
    """From the merge base with the target (or what the target was before the landing) to the task's head."""

    base: CommitId
    head: CommitId
    files: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """A line comment and the review that it is of; `is_outdated` where that is of another commit than is shown."""

    review: Review
    comment: LineComment
    is_outdated: bool


def diff(
    project: Project,
    task_id: TaskId,
    form: Form,
    *,
    colour: bool = False,
    to_comment: bool = False,
    since: CommitId | None = None,
) -> Difference:
    """What the task changes: the commit in review, or the branch's tip while nothing is.

    Of a reviewer's task it is what that task looks at. With `to_comment`, a patch has the one form in which comments
    find their lines, whatever the user's config says. `since` is a commit to begin at, such as one that somebody has
    reviewed, which has to be there. Runs in the integration repository, so that no diff driver or
    textconv of the worker's making is obeyed.
    """
    run = project.runs.get(task_id)
    looking = integration.opened(project.layout, project.git)
    head = _head(project, run)
    base = since or base_of(project, run, head)
    files = looking.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, head).fields
    how = ("--no-ext-diff", "--no-textconv", "--find-renames", f"--color={'always' if colour else 'never'}")
    text = looking.run("diff", *how, *(_PLAIN_FORM if to_comment else ()), str(form), base, head).text
    return Difference(base, head, tuple(files), text + "\n" if text else "")


def remarks(project: Project, task_id: TaskId, head: CommitId) -> Sequence[Remark]:
    """Every line comment on the task (of a reviewer's task: on the one it reviews), oldest first."""
    reviewed = project.runs.get(task_id).review_of or task_id
    return [
        Remark(review, comment, is_outdated(review, head))
        for review in FileReviews(project.layout).all(reviewed)
        for comment in review.comments
    ]


def _head(project: Project, run: Run) -> CommitId:
    if run.review_of is not None:
        return run.base_commit
    in_review = run.head_commit if run.state in (State.IN_REVIEW, State.APPROVED, State.COMPLETED) else None
    head = in_review or tip_of(project.git, run.branch_ref) or run.head_commit
    if head is None:
        raise NotFound(
            f"{run.task_id} has no commit to show: the branch {run.branch} is gone",
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
        )
    return head


def base_of(project: Project, run: Run, head: CommitId) -> CommitId:
    """Where what landing would bring begins: the merge base of `head` and the target.

    Of what has landed, the target is what it was before that; a branch offered again after an undo has not landed.
    """
    has_landed = run.merge_commit is not None and head == run.head_commit
    target = run.landing.target_before if run.landing and has_landed else None
    # 128: the target is gone
    merge_base = project.git.run("merge-base", target or run.target_ref, head, ok=(0, 1, 128))
    return CommitId(merge_base.text) if merge_base.code == 0 else run.base_commit
