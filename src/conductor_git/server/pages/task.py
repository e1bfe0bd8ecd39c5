"""The page of one task: its life as a picture, why it stands where it stands, what is said of it, what it prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from conductor_git import durable
from conductor_git.errors import ConductorError, NotFound
from conductor_git.masking import mask
from conductor_git.names import TaskId, parse_task_id, readable
from conductor_git.project import Project
from conductor_git.run import Run, State, how_it_ended
from conductor_git.runner.stop import running
from conductor_git.server.pages.rendering import page
from conductor_git.server.pages.reviewer import reviewers
from conductor_git.server.pages.session import Looking
from conductor_git.server.pages.talk import Word, conversations
from conductor_git.server.pages.timeline import timeline
from conductor_git.server.serving import Serving, serving
from conductor_git.workflow.diff import Form, diff
from conductor_git.workflow.documents.note import note
from conductor_git.workflow.following import secrets, shown_end
from conductor_git.workflow.log import attempt_log
from conductor_git.workflow.show import Shown, show

router = APIRouter(include_in_schema=False, dependencies=[Looking])

Server = Annotated[Serving, Depends(serving)]
_MESSAGES: Final = 200
_LOG_BYTES: Final = 32 << 10
_PROMPT_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What the attempts on record have cost, as far as their agents said; None where none of them did."""

    dollars: float | None
    tokens_in: int | None
    tokens_out: int | None


@router.get("/tasks/{task_id}")
def task(request: Request, task_id: str, server: Server) -> Response:
    project, wanted = server.project, parse_task_id(task_id)
    standing = _standing(project, wanted, server.clock())
    return page(
        request,
        "task.html",
        **standing,
        words=_words(project, standing["run"]),
        prompt=_prompt(project, wanted),
        log=_log(project, wanted),
    )


@router.get("/tasks/{task_id}/summary")
def summary(request: Request, task_id: str, server: Server) -> Response:
    """What changes of the page while a task goes on, for one that is open."""
    return page(request, "summary.html", **_standing(server.project, parse_task_id(task_id), server.clock()))


def _standing(project: Project, task_id: TaskId, now: datetime) -> dict[str, Any]:
    """How the task stands: what both the page and its summary show."""
    shown = show(project, task_id, now=now)
    run, actions = shown.row.run, _actions(shown)
    return {
        "shown": shown,
        "run": run,
        "note": note(shown.row),
        "picture": timeline(run, now),
        "files": _files(project, task_id),
        "cost": _cost(run),
        "how_it_ended": how_it_ended,
        "actions": actions,
        "reviewers": reviewers(project, run) if "ask" in actions else (),
    }


@router.get("/tasks/{task_id}/talk")
def talk(request: Request, task_id: str, server: Server) -> Response:
    run = server.project.runs.get(parse_task_id(task_id))
    return page(request, "talk.html", run=run, words=_words(server.project, run))


def _words(project: Project, run: Run) -> tuple[Word, ...]:
    return conversations(project.bus.tail(_MESSAGES, task_id=run.task_id))


def _prompt(project: Project, task_id: TaskId) -> str:
    try:
        data = durable.read_regular(project.layout.prompt(task_id), _PROMPT_BYTES)
    except (OSError, ConductorError):
        return ""
    return mask(readable(data.decode("utf-8", "surrogateescape")), secrets())


def _log(project: Project, task_id: TaskId) -> str | None:
    """The end of what the last attempt printed; None where there was none."""
    try:
        log = attempt_log(project, task_id, number=None, stderr=False)
    except NotFound:
        return None
    return shown_end(log.path, _LOG_BYTES) or ""


def _files(project: Project, task_id: TaskId) -> Sequence[str] | None:
    """What the task changes; None where that is not there to be looked at any more."""
    try:
        return [readable(path) for path in diff(project, task_id, Form.NAMES).files]
    except ConductorError:
        return None


def _cost(run: Run) -> Cost:
    dollars = [one.cost_usd for one in run.attempts if one.cost_usd is not None]
    tokens_in = [one.tokens_in for one in run.attempts if one.tokens_in is not None]
    tokens_out = [one.tokens_out for one in run.attempts if one.tokens_out is not None]
    return Cost(
        sum(dollars) if dollars else None,
        sum(tokens_in) if tokens_in else None,
        sum(tokens_out) if tokens_out else None,
    )


def _actions(shown: Shown) -> frozenset[str]:
    """What may be asked of the task as it stands; whether it can be done is found out by doing it."""
    run = shown.row.run
    is_work = run.review_of is None
    possible = {
        "review": run.state in (State.IN_REVIEW, State.APPROVED) and is_work,
        "ask": run.state is State.IN_REVIEW and is_work,
        "merge": run.state is State.APPROVED,
        "undo": run.state is State.COMPLETED and is_work and run.merge_commit is not None,
        "cancel": not run.state.is_final,
        "retry": run.state in (State.FAILED, State.CANCELLED),
        "resume": run.state in (State.ASSIGNED, State.WORKING) and not shown.row.supervised and run.has_agent,
        "stop": shown.row.supervised or running(run) is not None,
    }
    return frozenset(name for name, is_possible in possible.items() if is_possible)
