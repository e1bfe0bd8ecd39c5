"""The page on which a task is made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from conductor_git.config.model import Config
from conductor_git.errors import ConductorError
from conductor_git.history import branches
from conductor_git.names import parse_task_id
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.pages.forms import Form, Sent
from conductor_git.server.pages.rendering import page, see_other
from conductor_git.server.pages.reviewer import agents_here
from conductor_git.server.pages.session import Administering
from conductor_git.server.problem import status_of
from conductor_git.server.serving import Serving, serving
from conductor_git.settings import project_config
from conductor_git.workflow.spawn import spawn
from conductor_git.workflow.spawning.order import Order, plan

router = APIRouter(include_in_schema=False)

Server = Annotated[Serving, Depends(serving)]
Visitor = Annotated[Who, Depends(who)]


@dataclass(frozen=True, slots=True)
class Filled:
    """What is in the fields."""

    task_id: str = ""
    prompt: str = ""
    agent: str = ""
    target: str = ""
    reviews: str = ""
    needs: str = ""
    priority: str = ""
    start: str = "yes"


@router.get("/new")
def blank(request: Request, server: Server) -> Response:
    return _page(request, server, Filled())


@router.post("/new", dependencies=[Administering])
def make(request: Request, server: Server, visitor: Visitor, form: Sent) -> Response:
    """Make the task; what is refused is told beside what was filled in."""
    filled = Filled(**{name: form.one(name) for name in Filled.__slots__})
    try:
        config = project_config(server.project)
        wanted = plan(server.project, _order(form), config)
        start = form.one("start") == "yes"
        run = spawn(server.project, wanted, by=visitor.actor, at=server.clock(), start_agent=start, waits=False)
    except ConductorError as refused:
        return _page(request, server, filled, refused)
    return see_other(f"/tasks/{run.task_id}")


def _page(request: Request, server: Serving, filled: Filled, refused: ConductorError | None = None) -> Response:
    known = branches(server.project.git)
    config = project_config(server.project)
    return page(
        request,
        "new.html",
        status=status_of(refused) if refused else 200,
        filled=filled,
        refused=refused,
        agents=agents_here(server.project),
        default_agent=config.agents.default,
        targets=_targets(known.tips, config),
        default_target=config.target or known.current or "",
        reviews_required=config.reviews_required,
    )


def _targets(names: Iterable[str], config: Config) -> list[str]:
    """The branches that work can land on: those of tasks are left out, where their names tell them apart."""
    of_tasks = config.branch.partition("{")[0]
    return sorted(name for name in names if not (of_tasks and name.startswith(of_tasks)))


def _order(form: Form) -> Order:
    return Order(
        task_id=parse_task_id(form.one("task_id").strip()),
        prompt=form.one("prompt"),
        agent=form.one("agent") or None,
        target=form.one("target") or None,
        needs=tuple(parse_task_id(name) for name in re.split(r"[\s,]+", form.one("needs")) if name),
        reviews_required=form.number("reviews"),
        priority=form.number("priority") or 0,
    )
