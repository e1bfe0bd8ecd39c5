"""Whether the server lives, and whether it can work: for whoever watches it, without a token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from conductor_git.errors import ConductorError
from conductor_git.server import problem
from conductor_git.server.document import SCHEMA, Document
from conductor_git.server.serving import Serving, serving

router = APIRouter(tags=["server"])


@router.get("/healthz")
async def healthz() -> Document:
    """The process answers; says nothing about the project."""
    return Document({"schema": SCHEMA, "status": "ok"})


@router.get("/readyz")
def readyz(server: Annotated[Serving, Depends(serving)]) -> Document:
    """Repository, tokens and bus can be read; otherwise 503 with the reason's code."""
    trouble = _trouble(server)
    status = "ok" if trouble is None else "unready"
    reason = {} if trouble is None else {"reason": trouble}
    return Document({"schema": SCHEMA, "status": status, **reason}, 200 if trouble is None else 503)


def _trouble(server: Serving) -> str | None:
    if not server.project.layout.common_dir.is_dir():
        return problem.gone().code
    try:
        server.gate.tokens.all()
        server.project.bus.tail(1)
    except ConductorError as refused:
        return refused.code
    return None
