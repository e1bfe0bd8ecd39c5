"""The JSON documents of cli.md, made from typed records in one place."""

from __future__ import annotations

from typing import Any

from conductor_git.record import format_time, to_tree
from conductor_git.review import Review
from conductor_git.review import to_tree as review_tree
from conductor_git.run import Run
from conductor_git.workflow.look import Row


def task_document(run: Run) -> dict[str, Any]:
    """Every result that claims success carries at least these, from the record."""
    tree = to_tree(run)
    for attempt in tree["attempts"]:
        attempt["pid_started"] = _number(attempt["pid_started"])
        attempt["cost_usd"] = _number(attempt["cost_usd"])
        if attempt["supervisor"]:
            attempt["supervisor"]["pid_started"] = _number(attempt["supervisor"]["pid_started"])
    if tree["landing"]:
        tree["landing"]["cleanup"] = tree["landing"]["cleanup"] == "true"
        for gate in tree["landing"]["gates"]:
            gate["seconds"] = _number(gate["seconds"])
    return tree


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def row_document(row: Row) -> dict[str, Any]:
    run = row.run
    return {
        "task_id": run.task_id,
        "title": run.title,
        "state": str(run.state),
        "health": str(row.health) if row.health else None,
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
    }


def review_document(review: Review) -> dict[str, Any]:
    return dict(review_tree(review))
