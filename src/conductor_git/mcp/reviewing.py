"""Looking at a change and judging it, as coordinators and the workers whose task is a review do."""

from __future__ import annotations

from typing import Any, Final

from conductor_git.mcp import arguments
from conductor_git.mcp.call import Call
from conductor_git.mcp.seat import Seat
from conductor_git.mcp.tool import Tool
from conductor_git.names import parse_task_id
from conductor_git.review import LineComment, path_inside
from conductor_git.run import Run
from conductor_git.workflow import diff, review
from conductor_git.workflow.documents.diff import diff_document
from conductor_git.workflow.documents.task import task_document

MOST_DIFF: Final = 200_000
"""So many characters of a patch are told: more would fill a model's memory, and the command line has them all."""
_FORMS: Final = {"patch": diff.Form.PATCH, "stat": diff.Form.STAT, "files": diff.Form.NAMES}


def _diff(seat: Seat, asked: arguments.Diff, _: Call) -> dict[str, Any]:
    task_id = parse_task_id(asked.task)
    found = diff.diff(seat.project, task_id, _FORMS[asked.form])
    told = diff_document(task_id, found, diff.remarks(seat.project, task_id, found.head))
    cut = len(found.text) > MOST_DIFF
    return {**told, "diff": found.text[:MOST_DIFF], "truncated": cut}


def _review(seat: Seat, asked: arguments.Review, _: Call) -> dict[str, Any]:
    return {"task": task_document(_judged(seat, asked))}


def _judged(seat: Seat, asked: arguments.Review) -> Run:
    give: review.Give = review.approve if asked.verdict == "approve" else review.request_changes
    return give(
        seat.project,
        parse_task_id(asked.task),
        by=seat.reviewer,
        at=seat.clock(),
        commit=asked.commit,
        body=asked.body,
        comments=[LineComment(path_inside(one.path), one.line, one.body) for one in asked.comments],
    )


DIFF: Final = Tool("diff", "What landing a task would bring, with reviewers' comments.", arguments.Diff, _diff, True)
REVIEW: Final = Tool(
    "review", "Give a verdict on the commit in review. request_changes sends it back.", arguments.Review, _review
)
