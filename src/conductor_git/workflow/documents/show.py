"""What is known of one task, as a document."""

from __future__ import annotations

from typing import Any

from conductor_git.run import next_command
from conductor_git.workflow.documents.task import review_document, row_document, task_document
from conductor_git.workflow.explaining.commands import only_looks
from conductor_git.workflow.show import Shown


def show_document(shown: Shown) -> dict[str, Any]:
    """All that `show` tells: the record with its row, reviews, why it stands where it stands and what moves it."""
    run, facts, why = shown.row.run, shown.facts, shown.explanation
    return {
        "task": task_document(run) | row_document(shown.row),
        "reviews": [review_document(review, run.head_commit) for review in facts.reviews],
        "waits_for": why.waits_for,
        "next_command": _first_move(shown),
        "explanation": {"waits_for": why.waits_for, "because": list(why.because), "moves": list(why.moves)},
        "queue": None if facts.position is None else {"position": facts.position, "ahead": list(facts.ahead_in_queue)},
        "collisions": {
            "tasks": [{"task_id": met.other, "files": list(met.files)} for met in facts.collides],
            "target": list(facts.target_files),
        },
        "children": [{"task_id": child.task_id, "state": str(child.state)} for child in shown.children],
        "worktree_exists": facts.tree.is_there,
        "evidence": shown.evidence,
    }


def _first_move(shown: Shown) -> str:
    """The first command that moves the task on; where nothing does, one that looks."""
    moves = shown.explanation.moves
    return next((move for move in moves if not only_looks(move)), next(iter(moves), next_command(shown.row.run)))
