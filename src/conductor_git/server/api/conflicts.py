"""Who will collide with whom, before either is done."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from conductor_git.names import parse_task_id
from conductor_git.server.api import shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Look
from conductor_git.server.api.routing import api_router, told
from conductor_git.server.document import Document
from conductor_git.workflow.conflicts import prospect
from conductor_git.workflow.documents.prospect import prospect_document

router = api_router("tasks")

_MET = {"tasks": ["fix-login", "new-login"], "files": ["src/login.py"], "kinds": ["content"], "uncommitted": False}


@router.get(
    "/conflicts",
    responses=told(
        shapes.Conflicts, {"collisions": [_MET], "targets": [], "order": ["fix-login", "new-login"], "notes": []}
    ),
)
def list_conflicts(
    asking: Look, task: Annotated[str | None, Query(max_length=200, description="Only of this task.")] = None
) -> Document:
    """As `conflicts`, uncommitted work included; nothing is told on the bus."""
    wanted = None if task is None else asking.project.runs.get(parse_task_id(task)).task_id
    return answer(**prospect_document(prospect(asking.project), wanted))
