"""Tasks, the rows of a list of them, and reviews, as documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conductor_git.errors import BadRecord
from conductor_git.record import format_time, to_tree
from conductor_git.review import Review, is_outdated
from conductor_git.review import to_tree as review_tree
from conductor_git.run import Run
from conductor_git.workflow.look import Row

if TYPE_CHECKING:  # most commands print a document, and few of them a diff
    from conductor_git.workflow.diff import Remark


def task_document(run: Run) -> dict[str, Any]:
    """Every result that claims success carries at least these, from the record."""
    tree = to_tree(run)
    for attempt in tree["attempts"]:
        attempt["cost_usd"] = _number(attempt["cost_usd"])
    supervision = [tree["supervision"]["process"]] if tree["supervision"] else []
    for process in (*tree["attempts"], *(attempt["supervisor"] for attempt in tree["attempts"]), *supervision):
        if process is not None:
            process["pid_started"] = _number(process["pid_started"])
    for landing in filter(None, (tree["landing"], tree["undo"], tree["join"])):
        landing["cleanup"] = landing["cleanup"] == "true"
        for gate in landing["gates"]:
            gate["seconds"] = _number(gate["seconds"])
    return tree


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def row_document(row: Row) -> dict[str, Any]:
    run, foreseen = row.run, row.foreseen
    return {
        "task_id": run.task_id,
        "title": run.title,
        "state": str(run.state),
        "health": str(row.health) if row.health else None,
        "supervised": row.supervised,
        "agent": run.agent,
        "branch": run.branch,
        "target": run.target,
        "base_commit": run.base_commit,
        "head_commit": run.head_commit,
        "approved_commit": run.approved_commit,
        "merge_commit": run.merge_commit,
        "worktree": run.worktree,
        "updated_at": format_time(run.updated_at),
        "age_seconds": round(row.age_seconds, 3),
        "ahead": row.ahead,
        "behind": row.behind,
        "files": row.files,
        "generation": run.generation,
        "review_of": run.review_of,
        "parent_task_id": run.parent_task_id,
        "collides": None if foreseen is None else [str(one.other) for one in foreseen.others],
        "would_conflict": None if foreseen is None else list(foreseen.target_files),
        "queue_position": row.position,
    }


def review_document(review: Review, head: str | None) -> dict[str, Any]:
    """A review of a task whose last commit that was handed in is `head`."""
    return {**review_tree(review), "outdated": is_outdated(review, head)}


def remark_document(remark: Remark) -> dict[str, Any]:
    """A line comment in the diff of a task, with what it is a comment of."""
    review, comment = remark.review, remark.comment
    return {
        "number": review.number,
        "reviewer": review.reviewer,
        "verdict": str(review.verdict),
        "commit": review.commit,
        "path": comment.path,
        "side": str(comment.side),
        "line": comment.line,
        "body": comment.body,
        "outdated": remark.is_outdated,
    }


def unreadable_document(bad: BadRecord) -> dict[str, Any]:
    """A record that cannot be read, as the row of a list that it would have been."""
    return {"task_id": str(bad.facts["task_id"]), "error": bad.document()}
