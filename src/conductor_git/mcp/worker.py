"""The tools of a worker. Each speaks for the worker's own task, and none takes another one's name."""

from __future__ import annotations

from typing import Any, Final

from conductor_git.errors import BadInput
from conductor_git.mcp import arguments
from conductor_git.mcp.call import Call
from conductor_git.mcp.seat import Seat
from conductor_git.mcp.talking import post, question, read
from conductor_git.mcp.tool import Tool
from conductor_git.message import message_document
from conductor_git.workflow import end, finish
from conductor_git.workflow import start as starting
from conductor_git.workflow.ask import await_answer
from conductor_git.workflow.beat import beat
from conductor_git.workflow.documents.prospect import prospect_document
from conductor_git.workflow.documents.task import task_document
from conductor_git.workflow.documents.who import who_document
from conductor_git.workflow.foretell import foretell
from conductor_git.workflow.looking.whoami import whoami


def _whoami(seat: Seat, _: arguments.Nothing, __: Call) -> dict[str, Any]:
    return who_document(whoami(seat.own))


def _start(seat: Seat, _: arguments.Nothing, __: Call) -> dict[str, Any]:
    return {"task": task_document(starting.start(seat.project, seat.own.task_id, by=seat.by, at=seat.clock()))}


def _heartbeat(seat: Seat, said: arguments.Beat, _: Call) -> dict[str, Any]:
    project, task_id, note = seat.project, seat.own.task_id, said.note or None
    beat(project.layout, lambda: project.bus, task_id, by=seat.by, project_id=project.project_id, note=note)
    return {"task": {"task_id": task_id}}


def _ask(seat: Seat, asked: arguments.Ask, call: Call) -> dict[str, Any]:
    if bool(asked.question) == bool(asked.again):
        raise BadInput(
            "ask takes a question, or in `again` the id of one that was asked", hint="conductor-git mcp --help"
        )
    msg_id = asked.again or question(seat, asked.question).msg_id
    with call.until(asked.wait) as stop:
        answer = await_answer(seat.project, msg_id, by=seat.by, stop=stop)
    return {"question": msg_id, "answer": None if answer is None else message_document(answer)}


def _conflicts(seat: Seat, _: arguments.Nothing, __: Call) -> dict[str, Any]:
    return prospect_document(foretell(seat.project), seat.own.task_id)


def _done(seat: Seat, said: arguments.Done, _: Call) -> dict[str, Any]:
    task_id, summary = seat.own.task_id, said.summary or None
    run = finish.finish(seat.project, task_id, by=seat.by, at=seat.clock(), summary=summary, wip=said.wip)
    return {"task": task_document(run)}


def _fail(seat: Seat, said: arguments.Why, _: Call) -> dict[str, Any]:
    run = end.fail(seat.project, seat.own.task_id, by=seat.by, at=seat.clock(), why=said.why)
    return {"task": task_document(run)}


WHOAMI: Final = Tool(
    "whoami",
    "Your task, prompt, reviews, ports and what is new for you. Call it first.",
    arguments.Nothing,
    _whoami,
    looks=True,
)
START: Final = Tool("start", "Take your task up. Only where its state is ASSIGNED.", arguments.Nothing, _start)
READ: Final = Tool("read", "The last messages on the bus that all share, oldest first.", arguments.Read, read, True)
POST: Final = Tool("post", "Tell all workers a fact or decision that concerns them.", arguments.OwnPost, post)
HEARTBEAT: Final = Tool("heartbeat", "Say that you are alive, in long work.", arguments.Beat, _heartbeat)
ASK: Final = Tool(
    "ask",
    "Ask what you cannot decide, and wait a while for the answer; null where nobody was there in time.",
    arguments.Ask,
    _ask,
)
FAIL: Final = Tool("fail", "Give the task up, only where it cannot be done.", arguments.Why, _fail)
TOOLS: Final = (
    WHOAMI,
    START,
    READ,
    POST,
    HEARTBEAT,
    ASK,
    Tool("conflicts", "Who changes the same as you, before either lands.", arguments.Nothing, _conflicts),
    Tool(
        "done", "Hand your last commit in for review. Commit everything first. Ends your work.", arguments.Done, _done
    ),
    FAIL,
)
"""What a server offers in a worker's worktree."""
