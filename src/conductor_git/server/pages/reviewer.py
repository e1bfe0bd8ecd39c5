"""Asking an agent for a review: a task of its own, whose work is a verdict on the commit in review."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from conductor_git.environment import inherited
from conductor_git.errors import BadInput
from conductor_git.names import parse_task_id
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.pages.forms import Sent
from conductor_git.server.pages.rendering import see_other
from conductor_git.server.pages.session import Administering
from conductor_git.server.serving import Serving, serving
from conductor_git.settings import project_config
from conductor_git.workflow.agent_review.naming import free_reviewer_id
from conductor_git.workflow.agent_review.spawn import plan_review
from conductor_git.workflow.agents import Known, known_agents
from conductor_git.workflow.spawn import spawn
from conductor_git.workflow.spawning.order import Order

router = APIRouter(include_in_schema=False)

Server = Annotated[Serving, Depends(serving)]
Visitor = Annotated[Who, Depends(who)]


def agents_here(project: Project) -> Sequence[Known]:
    """Every agent that has a name here: the usable before the others, the project's own first. Starts none."""
    found = known_agents(project, inherited(), check=False)
    return sorted(found, key=lambda one: (bool(one.finding.problem), not one.is_configured))


def reviewers(project: Project, run: Run) -> Sequence[str]:
    """The agents that can be asked about the work of `run`: who did it comes last."""
    names = [one.finding.name for one in agents_here(project) if not one.finding.problem and _runs_commands(one)]
    return sorted(names, key=lambda name: name == run.agent)


def _runs_commands(agent: Known) -> bool:
    """A verdict is given by one."""
    return agent.adapter is not None and agent.adapter.edits


@router.post("/tasks/{task_id}/reviewer", dependencies=[Administering])
def ask(task_id: str, server: Server, visitor: Visitor, form: Sent) -> Response:
    """Spawn a reviewer under the first name that is free, and show it."""
    reviewed, agent = parse_task_id(task_id), form.one("agent")
    if not agent:
        raise BadInput("no agent was chosen", hint="conductor-git agents")
    order = Order(free_reviewer_id(server.project, reviewed), prompt=form.one("prompt").strip(), agent=agent)
    plan = plan_review(server.project, order, project_config(server.project), reviewed)
    run = spawn(server.project, plan, by=visitor.actor, at=server.clock(), waits=False)
    return see_other(f"/tasks/{run.task_id}")
