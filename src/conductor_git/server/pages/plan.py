"""The page of a plan: its tasks as a graph of what needs what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from conductor_git.errors import BadRecord, NotFound
from conductor_git.run import Run
from conductor_git.server.pages.graph import graph
from conductor_git.server.pages.rendering import page
from conductor_git.server.pages.session import Looking
from conductor_git.server.serving import Serving, serving

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]


@router.get("/plans")
def plans(request: Request, server: Server) -> Response:
    """The plans of which there are tasks."""
    return page(request, "plans.html", names=sorted({run.plan for run in _runs(server) if run.plan}))


@router.get("/plans/{name}")
def plan(request: Request, name: str, server: Server) -> Response:
    runs = [run for run in _runs(server) if run.plan == name and run.review_of is None]
    if not runs:
        raise NotFound(f"no task is of a plan {name[:80]!r}", hint="conductor-git run --help")
    return page(request, "plan.html", name=name, runs=runs, picture=graph(runs))


def _runs(server: Serving) -> list[Run]:
    return [run for run in server.project.runs.scan() if not isinstance(run, BadRecord)]
