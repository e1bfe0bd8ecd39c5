"""The bus: read from a message on, the last messages, a conversation; and a message of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Body, Query

from conductor_git.bus.thread import thread as conversation
from conductor_git.errors import BadInput
from conductor_git.message import Message, Parent, message_document
from conductor_git.names import TaskId, parse_task_id
from conductor_git.server.access.role import Role
from conductor_git.server.api import bodies, examples, shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Asking, Change, Changing, Look
from conductor_git.server.api.once import OnceKey, once
from conductor_git.server.api.routing import api_router, changed, told
from conductor_git.server.document import Document
from conductor_git.server.refusals import Forbidden
from conductor_git.workflow.say import said_document, say

router = api_router("bus")

_Id = Annotated[str | None, Query(max_length=200)]


@router.get("/bus", responses=told(shapes.Messages, {"messages": [examples.MESSAGE]}))
def read_messages(
    asking: Look,
    since: Annotated[str | None, Query(max_length=200, description="Only what came after this message.")] = None,
    limit: Annotated[int | None, Query(ge=1, le=1000, description="At most so many, oldest first; 100.")] = None,
    tail: Annotated[int | None, Query(ge=1, le=1000, description="Only the last so many.")] = None,
    types: Annotated[list[str] | None, Query(alias="type", max_length=50)] = None,
    task: _Id = None,
    thread: Annotated[str | None, Query(max_length=200, description="The conversation of this message.")] = None,
) -> Document:
    """Messages, oldest first: `bus read`. To hear of new ones, follow `/api/v1/events`."""
    _require_alone("thread", thread, since, limit, tail, types, task)
    _require_alone("tail", tail, since, limit, thread)
    task_id = None if task is None else parse_task_id(task)
    if thread is not None:
        return _told(conversation(asking.project.bus, thread))
    if tail is not None:
        return _told(asking.project.bus.tail(tail, tuple(types or ()), task_id))
    return _told(asking.project.bus.read(since, limit or 100, tuple(types or ()), task_id))


def _require_alone(name: str, value: object, *others: object) -> None:
    if value is not None and any(other is not None for other in others):
        raise BadInput(f"{name} goes with none of the others", hint="see /api/v1/openapi.json")


def _told(messages: Iterable[Message]) -> Document:
    return answer(messages=[message_document(message) for message in messages])


@router.get("/bus/{msg_id}", responses=told(shapes.OneMessage, {"message": examples.MESSAGE}))
def read_message(asking: Look, msg_id: str) -> Document:
    """One message by its id."""
    return answer(message=message_document(asking.project.bus.get(msg_id)))


@router.post(
    "/bus",
    status_code=201,
    responses=changed(
        shapes.Posted,
        {"msg_id": examples.MESSAGE["msg_id"], "attachment_path": None, "unknown_parents": []},
        201,
        tag=False,
    ),
)
def post_message(asking: Change, body: Annotated[bodies.Post, Body()], key: OnceKey = None) -> Document:
    """Post a message; on disk when this answers. Who posted it stands in `meta.by`."""
    return once(asking, key, "POST /bus", body, lambda: _posted(asking, body))


def _posted(asking: Changing, body: bodies.Post) -> Document:
    message = Message(
        type=body.type,
        body=body.body,
        project_id=asking.project.project_id,
        task_id=_task(asking, body.task_id),
        parents=tuple(Parent(above.msg_id, above.kind) for above in body.parents),
        meta={**body.meta, "by": asking.who.name},
        extra={"links": list(body.links)} if body.links else {},
    )
    return answer(201, **said_document(message, say(asking.project.bus, message)))


def _task(asking: Asking, named: str | None) -> TaskId | None:
    """The task that a message is about; a worker speaks of its own."""
    task_id = None if named is None else parse_task_id(named)
    if asking.who.role is not Role.WORKER:
        return task_id
    if task_id not in (None, asking.who.task_id):
        raise Forbidden(f"this token acts for {asking.who.task_id} only", hint="leave task_id out", task_id=task_id)
    return asking.who.task_id
