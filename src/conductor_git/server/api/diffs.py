"""What a task would bring."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query

from conductor_git.server.api import examples, shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Look, TaskPath
from conductor_git.server.api.routing import api_router, told
from conductor_git.server.document import Document
from conductor_git.workflow.diff import Form, diff, remarks
from conductor_git.workflow.documents.diff import diff_document, parts_document

router = api_router("reviews")

_EXAMPLE = {
    "task_id": "fix-login",
    "base_commit": examples.TASK["base_commit"],
    "head_commit": examples.TASK["head_commit"],
    "files": ["src/login.py"],
    "diff": "diff --git a/src/login.py b/src/login.py\n",
    "comments": [examples.REMARK],
}


class Shape(StrEnum):
    """How much is told: the patch, how much changed where, the paths alone."""

    PATCH = "patch"
    STAT = "stat"
    NAMES = "names"


_FORMS = {Shape.PATCH: Form.PATCH, Shape.STAT: Form.STAT, Shape.NAMES: Form.NAMES}


@router.get("/tasks/{task_id}/diff", responses=told(shapes.Diff, _EXAMPLE))
def read_diff(
    asking: Look,
    task_id: TaskPath,
    form: Shape = Shape.PATCH,
    parts: Annotated[bool, Query(description="The patch file by file and line by line too.")] = False,
) -> Document:
    """From the merge base with the target to the task's head, with reviewers' comments on lines: `diff`."""
    found = diff(asking.project, task_id, _FORMS[form], to_comment=parts)
    said = remarks(asking.project, task_id, found.head)
    lines: dict[str, Any] = {"parts": parts_document(found.text)} if parts and form is Shape.PATCH else {}
    return answer(**diff_document(task_id, found, said) | lines)
