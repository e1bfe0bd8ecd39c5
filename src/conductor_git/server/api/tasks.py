"""Tasks: listed, made, looked at."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Query

from conductor_git.names import parse_task_id
from conductor_git.server.api import bodies, examples, shapes
from conductor_git.server.api.answer import answer, tagged, task_answer
from conductor_git.server.api.asking import Change, Changing, Look, TaskPath
from conductor_git.server.api.once import OnceKey, once
from conductor_git.server.api.retold import list_answer
from conductor_git.server.api.rights import PREFIX
from conductor_git.server.api.routing import api_router, changed, told
from conductor_git.server.document import Document
from conductor_git.settings import project_config
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow.agent_review.spawn import plan_review
from conductor_git.workflow.documents.show import show_document
from conductor_git.workflow.listing import Asked
from conductor_git.workflow.show import show
from conductor_git.workflow.spawning import order as ordering

router = api_router("tasks")


@router.get("/tasks", responses=told(shapes.TaskList, {"tasks": [examples.ROW], "next": None, "total": 1}))
def list_tasks(asking: Look, wanted: Annotated[bodies.Wanted, Query()]) -> Document:
    """The tasks as `status` shows them, by id. A record that cannot be read is a row that says so."""
    asked = Asked(
        states=tuple(wanted.state),
        everything=wanted.everything,
        agent=wanted.agent,
        plan=wanted.plan,
        parent=wanted.parent,
        text=wanted.text,
        after=None if wanted.cursor is None else parse_task_id(wanted.cursor),
        limit=wanted.limit,
    )
    return list_answer(asking.project, asked, asking.now())


@router.post("/tasks", status_code=201, responses=changed(shapes.OneTask, {"task": examples.TASK}, 201))
def create_task(asking: Change, body: Annotated[bodies.Spawn, Body()], key: OnceKey = None) -> Document:
    """Give a task a branch and a worktree, and start its agent there where it has one: `spawn`."""
    return once(asking, key, "POST /tasks", body, lambda: _spawned(asking, body))


def _spawned(asking: Changing, body: bodies.Spawn) -> Document:
    order, config = _order(asking, body), project_config(asking.project)
    if body.review_of is None:
        plan = ordering.plan(asking.project, order, config)
    else:
        plan = plan_review(asking.project, order, config, parse_task_id(body.review_of))
    run = spawning.spawn(asking.project, plan, by=asking.by, at=asking.now(), start_agent=body.start, waits=False)
    return task_answer(run, 201, {"Location": f"{PREFIX}/tasks/{run.task_id}"})


def _order(asking: Changing, body: bodies.Spawn) -> ordering.Order:
    return ordering.Order(
        task_id=parse_task_id(body.task_id),
        prompt=body.prompt,
        title=body.title,
        agent=body.agent,
        command=tuple(body.command),
        base=body.base,
        target=body.target,
        needs=tuple(map(parse_task_id, body.needs)),
        reviews_required=body.reviews_required,
        existing=body.existing,
        priority=body.priority,
        parent_task_id=asking.by.speaker,
    )


@router.get("/tasks/{task_id}", responses=told(shapes.ShownTask, examples.SHOWN, tag=True))
def read_task(asking: Look, task_id: TaskPath) -> Document:
    """All that is known of a task, why it stands where it stands, and what moves it: `show`."""
    shown = show(asking.project, task_id, now=asking.now())
    return answer(200, tagged(shown.row.run), **show_document(shown))
