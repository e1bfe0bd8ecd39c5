"""The application: its routes, what every request passes through, and how errors are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final

from fastapi import Depends, FastAPI
from starlette.staticfiles import StaticFiles

from conductor_git import __version__
from conductor_git.server import metrics, problem
from conductor_git.server.access.gate import who
from conductor_git.server.document import Document
from conductor_git.server.door import Door
from conductor_git.server.moving import Moving
from conductor_git.server.noticing import Noticing
from conductor_git.server.pages.rendering import problem_page
from conductor_git.server.serving import Serving
from conductor_git.store.remembering import RememberingRuns

PUBLIC: Final = ("health", "pages.login")
"""Modules whose routes answer anybody; everything else wants a token, whatever the routes themselves say."""
ROUTERS: Final = (
    "about",
    "api.tasks",
    "api.lifecycle",
    "api.reviews",
    "api.diffs",
    "api.conflicts",
    "api.queue",
    "api.attempts",
    "api.bus",
    "api.agents",
    "api.settings",
    "streams.events",
    "streams.log",
    "metrics",
    "pages.board",
    "pages.new",
    "pages.task",
    "pages.review",
    "pages.queue",
    "pages.bus",
    "pages.collisions",
    "pages.plan",
    "pages.actions",
    "pages.reviewer",
)
"""The modules of this package that hold a `router`. Each is imported by name, so that none is forgotten silently."""
_STATIC: Final = Path(__file__).parent / "static"


def _quiet(line: str) -> None:
    del line


def create_app(serving: Serving, log: Callable[[str], None] = _quiet) -> FastAPI:
    """The server of one project, ready for uvicorn or a test; `log` takes the lines of the access log."""
    app = FastAPI(
        title="conductor-git",
        version=__version__,
        default_response_class=Document,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    layout = serving.project.layout
    changes, moving = Noticing(layout.tasks), Moving(layout.common_dir)
    serving.ending.on(changes.close)
    serving.ending.on(moving.close)
    runs = RememberingRuns(layout, changes=changes)
    serving = replace(serving, project=replace(serving.project, runs=runs, has_moved=moving))
    app.state.serving = serving
    problem.install(app)
    app.state.problem_page = problem_page
    for name in PUBLIC:
        _include(app, name)
    for name in ROUTERS:
        _include(app, name, needs_token=True)
    if _STATIC.is_dir():
        app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_middleware(Door, serving=serving, log=log)
    metrics.install(app, serving)  # around the door, so that it counts what the door refuses
    return app


def _include(app: FastAPI, name: str, *, needs_token: bool = False) -> None:
    router = import_module(f"conductor_git.server.{name}").router
    app.include_router(router, dependencies=[Depends(who)] if needs_token else [])
