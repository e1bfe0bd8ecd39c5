"""What every route has: the project, who may ask, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import Request

from conductor_git.project import Project
from conductor_git.server.access.gate import Gate
from conductor_git.server.ending import Ending


@dataclass(frozen=True, slots=True)
class Serving:
    """One server of one project; frozen, and shared by all requests."""

    project: Project
    gate: Gate
    clock: Callable[[], datetime]
    ending: Ending = field(default_factory=Ending)
    """Set when the server is to end: streams end then, since a server waits for all that it is answering."""


async def serving(request: Request) -> Serving:
    """The server that answers `request`; for `Depends`, which would give a plain function a thread."""
    found = request.app.state.serving
    assert isinstance(found, Serving)
    return found
