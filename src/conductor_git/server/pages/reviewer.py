"""Asking an agent for a review: a task of its own, whose work is a verdict on the commit in review."""

from __future__ import annotations

from itertools import count
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from conductor_git.config.model import Config
from conductor_git.errors import BadInput
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project
from conductor_git.runner.agents.registry import KNOWN
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.pages.forms import Sent
from conductor_git.server.pages.rendering import see_other
from conductor_git.server.pages.session import Administering
from conductor_git.server.serving import Serving, serving
from conductor_git.settings import project_config
from conductor_git.workflow.agent_review.spawn import plan_review
from conductor_git.workflow.planning.verdicts import reviewer_id
from conductor_git.workflow.spawn import spawn
from conductor_git.workflow.spawning.order import Order

router = APIRouter(include_in_schema=False)

Server = Annotated[Serving, Depends(serving)]
Visitor = Annotated[Who, Depends(who)]


def agent_names(config: Config) -> list[str]:
    """The agents that can be chosen: those that the config names, and those that are known anyway."""
    return list(dict.fromkeys([*config.agents.named, *KNOWN]))


@router.post("/tasks/{task_id}/reviewer", dependencies=[Administering])
def ask(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    """Spawn a reviewer under the first name that is free, and show it."""
    reviewed, agent = parse_task_id(task_id), form.one("agent")
    if not agent:
        raise BadInput("no agent was chosen", hint="conductor-git agents")
    order = Order(_free(server.project, reviewed), prompt=form.one("prompt").strip(), agent=agent)
    plan = plan_review(server.project, order, project_config(server.project), reviewed)
    run = spawn(server.project, plan, by=visitor.actor, at=server.clock())
    return see_other(f"/tasks/{run.task_id}")


def _free(project: Project, reviewed: TaskId) -> TaskId:
    names = (parse_task_id(reviewer_id(reviewed, number)) for number in count(1))
    return next(name for name in names if not project.layout.run_info(name).exists())
