"""What this server is: its version, and the description of its API."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from conductor_git import __version__
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.api.description import description
from conductor_git.server.document import SCHEMA
from conductor_git.server.serving import Serving, serving

router = APIRouter(tags=["server"])


@router.get("/api/v1/version")
def version(server: Annotated[Serving, Depends(serving)], asking: Annotated[Who, Depends(who)]) -> dict[str, Any]:
    """The version, the project, and who is asking."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "project": {"project_id": server.project.project_id, "repository": str(server.project.repository)},
        "who": {"name": asking.name, "role": asking.role, "token_id": asking.token_id, "task_id": asking.task_id},
    }


@router.get("/api/v1/openapi.json", include_in_schema=False)
def openapi(request: Request) -> dict[str, Any]:
    """The API as an OpenAPI document."""
    return description(request.app)
