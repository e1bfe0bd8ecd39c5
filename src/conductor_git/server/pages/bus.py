"""The bus page: the last messages, filtered and searched, and new ones as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from conductor_git.message import Message
from conductor_git.names import parse_task_id
from conductor_git.project import Project
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.pages.forms import Sent
from conductor_git.server.pages.rendering import page, see_other
from conductor_git.server.pages.session import Looking, Talking
from conductor_git.server.pages.speaking import KINDS, say
from conductor_git.server.pages.talk import word
from conductor_git.server.serving import Serving, serving

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]
Visitor = Annotated[Who, Depends(who)]
_SHOWN: Final = 200
_SEARCHED: Final = 20_000
"""So many of the last messages are looked through for a text."""
_TYPES: Final = tuple(
    "BOUNCED BUG DECISION ERROR FACT GATE INFO ISSUE LANDED PROGRESS QUESTION REVIEW RUN_CRASH RUN_START RUN_STOP "
    "STATE UNDONE USER".split()
)


@router.get("/bus")
def bus(request: Request, server: Server, task: str = "", kind: str = "", q: str = "") -> Response:
    found = _found(server.project, task, kind, q)
    words = [word(message) for message in reversed(found)]
    template = "messages.html" if request.headers.get("x-part") == "messages" else "bus.html"
    return page(request, template, words=words, task=task, kind=kind, q=q, types=_TYPES, kinds=KINDS, most=_SHOWN)


@router.post("/bus", dependencies=[Talking])
def post(server: Server, visitor: Visitor, form: Sent) -> Response:
    task = form.one("task").strip()
    say(server.project, visitor, form, parse_task_id(task) if task else None)
    return see_other("/bus")


def _found(project: Project, task: str, kind: str, text: str) -> Sequence[Message]:
    types = (kind,) if kind else ()
    task_id = parse_task_id(task) if task else None
    if not text:
        return project.bus.tail(_SHOWN, types=types, task_id=task_id)
    wanted = text.casefold()
    looked_at = project.bus.tail(_SEARCHED, types=types, task_id=task_id)
    return [message for message in looked_at if wanted in message.body.casefold()][-_SHOWN:]
