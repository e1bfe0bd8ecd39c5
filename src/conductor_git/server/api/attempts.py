"""The attempts of a task, and what their agents were asked and printed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query

from conductor_git.server.api import examples, shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Look, TaskPath
from conductor_git.server.api.routing import api_router, told
from conductor_git.server.document import Document
from conductor_git.workflow.documents.excerpt import excerpt_document, files_document
from conductor_git.workflow.documents.task import task_document
from conductor_git.workflow.excerpt import MOST_BYTES, attempt_file, attempt_files, require_attempt

router = api_router("attempts")

_ATTEMPT = {"run_id": "20260105-090000-000000-00000001", "agent": "claude", "end": "exited", "exit_code": 0}


@router.get(
    "/tasks/{task_id}/attempts", responses=told(shapes.Attempts, {"attempts": [_ATTEMPT], "attempts_before": 0})
)
def list_attempts(asking: Look, task_id: TaskPath) -> Document:
    """The last attempts, oldest first, and how many there were before them."""
    document = task_document(asking.project.runs.get(task_id))
    return answer(attempts=document["attempts"], attempts_before=document["attempts_before"])


@router.get(
    "/tasks/{task_id}/attempts/{run_id}",
    responses=told(shapes.OneAttempt, {"attempt": _ATTEMPT, "files": [{"name": "stdout.log", "size": 9}]}),
)
def read_attempt(asking: Look, task_id: TaskPath, run_id: str) -> Document:
    """One attempt, and the files of it that can be read."""
    known = require_attempt(asking.project, task_id, run_id)
    every: list[dict[str, Any]] = task_document(asking.project.runs.get(task_id))["attempts"]
    found = next(attempt for attempt in every if attempt["run_id"] == known)
    return answer(attempt=found, files=files_document(attempt_files(asking.project, task_id, known)))


@router.get("/tasks/{task_id}/attempts/{run_id}/files/{name}", responses=told(shapes.OneFile, {"file": examples.FILE}))
def read_attempt_file(
    asking: Look,
    task_id: TaskPath,
    run_id: str,
    name: str,
    offset: Annotated[int, Query(ge=0, le=1 << 50)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_BYTES)] = MOST_BYTES,
) -> Document:
    """`prompt.md`, `stdout.log`, `stderr.log` or `output.md`, secrets masked; go on at `next_offset`."""
    known = require_attempt(asking.project, task_id, run_id)
    found = attempt_file(asking.project, task_id, known, name, offset=offset, limit=limit)
    return answer(file=excerpt_document(found))
