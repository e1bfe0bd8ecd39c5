"""What is asked of a task by a button: merge, undo, cancel, retry, stop, resume, and a word on the bus."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from conductor_git.names import parse_task_id
from conductor_git.run import Strategy
from conductor_git.runner.stop import end_attempt
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.audit import audit
from conductor_git.server.pages.forms import Sent
from conductor_git.server.pages.rendering import see_other
from conductor_git.server.pages.session import Administering, Talking
from conductor_git.server.pages.speaking import say
from conductor_git.server.serving import Serving, serving
from conductor_git.workflow import end, land, retry, undo
from conductor_git.workflow.landing.wish import Wish
from conductor_git.workflow.queue import prioritise, process
from conductor_git.workflow.resume import resume

router = APIRouter(include_in_schema=False)

Server = Annotated[Serving, Depends(serving)]
Visitor = Annotated[Who, Depends(who)]
_WAIT_SECONDS: Final = 60.0
"""A browser that waits for longer than this for other landings is told so."""


@router.post("/tasks/{task_id}/merge", dependencies=[Administering])
def merge(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    strategy = form.one("strategy")
    wish = Wish(strategy=Strategy(strategy) if strategy in set(Strategy) else None, wait_seconds=_WAIT_SECONDS)
    done = land.land(server.project, parse_task_id(task_id), by=visitor.actor, at=server.clock, wish=wish)
    return see_other(f"/tasks/{done.run.task_id}")


@router.post("/tasks/{task_id}/undo", dependencies=[Administering])
def take_back(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    wish = Wish(wait_seconds=_WAIT_SECONDS)
    done = undo.undo(
        server.project, parse_task_id(task_id), by=visitor.actor, at=server.clock, why=form.one("why"), wish=wish
    )
    return see_other(f"/tasks/{done.run.task_id}")


@router.post("/tasks/{task_id}/cancel", dependencies=[Administering])
def cancel(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    why = form.one("why") or None
    run = end.cancel(server.project, parse_task_id(task_id), by=visitor.actor, at=server.clock(), why=why)
    return see_other(f"/tasks/{run.task_id}")


@router.post("/tasks/{task_id}/retry", dependencies=[Administering])
def again(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    reset = form.one("reset") == "yes"
    run, _ = retry.retry(server.project, parse_task_id(task_id), by=visitor.actor, at=server.clock(), reset=reset)
    return see_other(f"/tasks/{run.task_id}")


@router.post("/tasks/{task_id}/resume", dependencies=[Administering])
def go_on(task_id: str, server: Server, visitor: Visitor) -> Response:
    run, _ = resume(server.project, parse_task_id(task_id))
    audit(server.project, visitor, "resume", run.task_id)
    return see_other(f"/tasks/{run.task_id}")


@router.post("/tasks/{task_id}/stop", dependencies=[Administering])
def stop(task_id: str, server: Server, visitor: Visitor) -> Response:
    """End its agent; branch, worktree and state stay."""
    wanted = parse_task_id(task_id)
    if end_attempt(server.project, wanted, at=server.clock()):
        audit(server.project, visitor, "stop", wanted)
    return see_other(f"/tasks/{wanted}")


@router.post("/tasks/{task_id}/priority", dependencies=[Administering])
def rank(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    priority = form.number("priority") or 0
    run = prioritise(server.project, parse_task_id(task_id), priority, at=server.clock())
    audit(server.project, visitor, f"priority {priority}", run.task_id)
    return see_other("/queue")


@router.post("/tasks/{task_id}/talk", dependencies=[Talking])
def talk(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    wanted = parse_task_id(task_id)
    server.project.runs.get(wanted)
    msg_id = say(server.project, visitor, form, wanted)
    return see_other(f"/tasks/{wanted}#{msg_id}")


@router.post("/queue", dependencies=[Administering])
def land_all(server: Server, visitor: Visitor, form: Sent) -> Response:
    """Land what is approved for one target, or for each."""
    process(
        server.project,
        by=visitor.actor,
        at=server.clock,
        target=form.one("target") or None,
        wish=Wish(wait_seconds=_WAIT_SECONDS),
    )
    return see_other("/queue")
