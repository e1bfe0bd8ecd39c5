"""The queue page: what lands next, what is being tried right now, and what landed last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from conductor_git import journal
from conductor_git.errors import ConductorError
from conductor_git.names import readable
from conductor_git.project import Project
from conductor_git.run import Landing, Phase, Run, State
from conductor_git.server.pages.recent import recent
from conductor_git.server.pages.rendering import page
from conductor_git.server.pages.session import Looking
from conductor_git.server.serving import Serving, serving
from conductor_git.workflow.following import Masking, opened, tail_start
from conductor_git.workflow.queue import queues

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]
_LANDED: Final = 20
_LOG_BYTES: Final = 8 << 10


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A landing that goes on; `output` is the end of what its gate that runs has printed."""

    run: Run
    phase: Phase
    gate: str
    output: str


@router.get("/queue")
def queue(request: Request, server: Server) -> Response:
    return page(request, "queue.html", **_values(server))


@router.get("/queue/now")
def now(request: Request, server: Server) -> Response:
    """The part of the page that changes by itself."""
    return page(request, "queue_now.html", **_values(server))


def _values(server: Serving) -> dict[str, Any]:
    project = server.project
    landed = recent(project, _LANDED, lambda run: run.merge_commit is not None or run.undo is not None)
    return {"queues": queues(project), "under_way": tuple(_under_way(project)), "landed": landed}


def _under_way(project: Project) -> Iterator[UnderWay]:
    for task_id in journal.pending(project.layout):
        try:
            run = project.runs.get(task_id)
        except ConductorError:
            continue
        landing = run.undo if run.state is State.COMPLETED and run.undo else run.landing
        if landing is not None and landing.outcome is None:
            yield _told(project, run, landing)


def _told(project: Project, run: Run, landing: Landing) -> UnderWay:
    log = _newest(project.layout.landing(landing.landing_id)) if landing.landing_id else None
    return UnderWay(run, landing.phase, log.stem if log else "", _end(log) if log else "")


def _newest(folder: Path) -> Path | None:
    """The log that was written to last: that of the gate that runs."""
    try:
        logs = [path for path in folder.iterdir() if path.suffix == ".log"]
        return max(logs, key=lambda path: path.lstat().st_mtime, default=None)
    except OSError:
        return None


def _end(log: Path) -> str:
    descriptor = opened(log)
    if descriptor is None:
        return ""
    masking = Masking()
    with os.fdopen(descriptor, "rb") as file:
        file.seek(tail_start(descriptor, _LOG_BYTES))
        data = masking.feed(file.read(_LOG_BYTES)) + masking.rest()
    return readable(data.decode("utf-8", "surrogateescape"))
