"""Reading and posting, as workers and coordinators both do."""

from __future__ import annotations

from typing import Any

from conductor_git.environment import variable
from conductor_git.mcp import arguments
from conductor_git.mcp.call import Call
from conductor_git.mcp.seat import Seat
from conductor_git.message import Message, Parent, message_document
from conductor_git.names import RunId, TaskId, parse_task_id
from conductor_git.workflow.beat import require_current
from conductor_git.workflow.say import Said, said_document
from conductor_git.workflow.say import say as put


def read(seat: Seat, asked: arguments.Read, _: Call) -> dict[str, Any]:
    """The last messages, or with `since` the next ones after it; oldest first."""
    bus, kinds, task = seat.project.bus, tuple(asked.types), task_of(asked.task)
    wanted = bus.read(asked.since, asked.limit, kinds, task) if asked.since else bus.tail(asked.limit, kinds, task)
    return {"messages": [message_document(message) for message in wanted]}


def post(seat: Seat, wanted: arguments.Post, _: Call) -> dict[str, Any]:
    """Of a worker about its own task, of a coordinator about the one it names."""
    task = task_of(wanted.task) if seat.context is None else seat.context.task_id
    message = worded(seat, wanted.body, wanted.type, task, wanted.answers)
    return said_document(message, _put(seat, message))


def question(seat: Seat, body: str) -> Said:
    return _put(seat, worded(seat, body, "QUESTION", seat.own.task_id))


def _put(seat: Seat, message: Message) -> Said:
    """Post it; refused of a worker whose task was retried since."""
    if seat.context is not None:
        require_current(seat.project.layout, seat.context.task_id, seat.by)
    return put(seat.project.bus, message)


def worded(seat: Seat, body: str, kind: str, task: TaskId | None, answers: str = "") -> Message:
    """A message as `bus post` makes it here."""
    run_id = variable("CONDUCTOR_RUN_ID") if seat.context else None
    return Message(
        type=kind,
        body=body,
        project_id=seat.project.project_id,
        task_id=task,
        run_id=RunId(run_id) if run_id else None,
        parents=(Parent(answers, "answers"),) if answers else (),
    )


def task_of(text: str) -> TaskId | None:
    return parse_task_id(text) if text else None
