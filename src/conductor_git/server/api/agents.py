"""The agents that can be called here."""

from __future__ import annotations

from conductor_git.environment import inherited
from conductor_git.server.api import examples, shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Asking, Change, Look
from conductor_git.server.api.routing import api_router, changed, told
from conductor_git.server.document import Document
from conductor_git.workflow.agents import known_agents
from conductor_git.workflow.documents.agent import agent_document

router = api_router("settings")

_EXAMPLE = {"agents": [examples.AGENT]}


@router.get("/agents", responses=told(shapes.Agents, _EXAMPLE))
def list_agents(asking: Look) -> Document:
    """Which are installed and how they would be called; starts nothing."""
    return _told(asking, check=False)


@router.post("/agents/check", responses=changed(shapes.Agents, _EXAMPLE, tag=False))
def check_agents(asking: Change) -> Document:
    """The same, each of them started to ask for its version."""
    told = _told(asking, check=True)
    asking.audit("agents/check")
    return told


def _told(asking: Asking, *, check: bool) -> Document:
    found = known_agents(asking.project, inherited(), check=check)
    return answer(agents=[agent_document(agent) for agent in found])
