"""The reviews of a task, and their comments on lines."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body

from conductor_git.names import TaskId
from conductor_git.review import Verdict
from conductor_git.server.api import bodies, examples, shapes
from conductor_git.server.api.answer import answer, tagged, task_answer
from conductor_git.server.api.asked import judge
from conductor_git.server.api.asking import Change, Changing, Look, TaskPath
from conductor_git.server.api.once import OnceKey, once
from conductor_git.server.api.routing import api_router, changed, told
from conductor_git.server.document import Document
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow import review as reviewing
from conductor_git.workflow.documents.task import review_document

router = api_router("reviews")


@router.get("/tasks/{task_id}/reviews", responses=told(shapes.Reviews, {"reviews": [examples.REVIEW]}, tag=True))
def list_reviews(asking: Look, task_id: TaskPath) -> Document:
    """Every review of the task, oldest first; `outdated` where it is of an older commit than the one in review."""
    run = asking.project.runs.get(task_id)
    found = FileReviews(asking.project.layout).all(task_id)
    return answer(200, tagged(run), reviews=[review_document(review, run.head_commit) for review in found])


@router.post(
    "/tasks/{task_id}/reviews",
    status_code=201,
    responses=changed(shapes.Reviewed, {"task": examples.TASK, "review": examples.REVIEW}, 201),
)
def create_review(
    asking: Change, task_id: TaskPath, body: Annotated[bodies.NewReview, Body()], key: OnceKey = None
) -> Document:
    """Give a verdict on the commit in review, with comments on lines."""
    return once(asking, key, f"POST /tasks/{task_id}/reviews", body, lambda: _reviewed(asking, task_id, body))


def _reviewed(asking: Changing, task_id: TaskId, body: bodies.NewReview) -> Document:
    give = reviewing.approve if body.verdict is Verdict.APPROVE else reviewing.request_changes
    run = judge(asking, task_id, body, give)
    *_, given = (one for one in FileReviews(asking.project.layout).all(task_id) if one.reviewer == asking.reviewer.name)
    return task_answer(run, 201, review=review_document(given, run.head_commit))
