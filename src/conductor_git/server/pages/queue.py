"""The queue page: what lands next, what is being tried right now, and what landed last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from conductor_git import durable, journal
from conductor_git.errors import ConductorError
from conductor_git.project import Project
from conductor_git.run import Event, Run
from conductor_git.server.pages.recent import recent
from conductor_git.server.pages.rendering import page
from conductor_git.server.pages.session import Looking
from conductor_git.server.serving import Serving, serving
from conductor_git.settings import project_config
from conductor_git.workflow.following import shown_end
from conductor_git.workflow.looking.sift import live
from conductor_git.workflow.queue import queues

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]
_LANDED: Final = 20
_LOG_BYTES: Final = 8 << 10


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A landing, or the undo of one, that goes on."""

    run: Run
    is_undo: bool
    since: float


@dataclass(frozen=True, slots=True)
class Printing:
    """A gate that was begun for what is under way, and the end of what it has printed."""

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
    under_way = tuple(_under_way(project))
    printing = tuple(_printing(project, min(one.since for one in under_way))) if under_way else ()
    return {
        "queues": queues(project),
        "under_way": under_way,
        "printing": printing,
        "sent_back": tuple(filter(_was_sent_back, live(project))),
        "landed": landed,
        "by_itself": _lands_by_itself(project),
    }


def _lands_by_itself(project: Project) -> bool:
    try:
        return project_config(project).queue.auto
    except ConductorError:
        return False


def _was_sent_back(run: Run) -> bool:
    """Whether it was to land and did not, and its worker has not handed in anything since."""
    return run.landing is not None and run.landing.outcome is not None and run.history[-1].event is Event.BOUNCE


def _under_way(project: Project) -> Iterator[UnderWay]:
    for task_id in journal.pending(project.layout):
        intent = project.layout.intent(task_id)
        try:
            verb, since = json.loads(intent.read_bytes())["verb"], intent.lstat().st_mtime
            run = project.runs.get(task_id)
        except (OSError, ValueError, LookupError, TypeError, ConductorError):
            continue  # it has just ended, or cannot be read
        # What was killed and holds its lock no more is mended by the next command.
        if verb in ("merge", "undo") and durable.is_locked(project.layout.task_lock(task_id)):
            yield UnderWay(run, verb == "undo", since)


def _printing(project: Project, since: float) -> Iterator[Printing]:
    """The gates begun after `since` whose landing has no evidence yet, one a landing."""
    for folder in _folders(project.layout.landings):
        log = _newest(folder)
        if log is not None and log[0] >= since and not (folder / "evidence.json").exists():
            yield Printing(log[1].stem, shown_end(log[1], _LOG_BYTES) or "")


def _folders(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.is_dir()]
    except OSError:
        return []


def _newest(folder: Path) -> tuple[float, Path] | None:
    """The log that was written to last, that of the gate that runs, and when it was."""
    try:
        logs = [(path.lstat().st_mtime, path) for path in folder.iterdir() if path.suffix == ".log"]
        return max(logs, default=None)
    except OSError:
        return None
