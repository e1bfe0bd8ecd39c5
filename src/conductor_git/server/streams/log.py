"""GET /api/v1/tasks/{id}/log: what a task's agent prints, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from conductor_git import __version__
from conductor_git.errors import ConductorError
from conductor_git.names import RunId, TaskId, parse_task_id
from conductor_git.project import Project
from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Who
from conductor_git.server.streams.events import Since
from conductor_git.server.streams.live import Live, live
from conductor_git.server.streams.printed import Printed, spot
from conductor_git.server.streams.response import EventStream
from conductor_git.server.streams.sse import event, heartbeat, retry
from conductor_git.server.streams.stream import Stream, refusal
from conductor_git.workflow.attach import goes_on
from conductor_git.workflow.log import attempt_log

router = APIRouter()

Attempt = Annotated[int | None, Query(ge=1, description="Only this attempt, from 1; else the last and those after it.")]
Tail = Annotated[int | None, Query(ge=0, le=1 << 50, description="Begin so many bytes before the end.")]


@router.get("/api/v1/tasks/{task_id}/log", response_class=EventStream, include_in_schema=False)
async def log(
    request: Request,
    task_id: str,
    asking: Annotated[Who, Depends(who)],
    shared: Annotated[Live, Depends(live)],
    attempt: Attempt = None,
    stderr: Annotated[bool, Query()] = False,
    tail: Tail = None,
    since: Since = None,
) -> EventStream:
    """The log from its beginning, or from a place in it, then what is printed, until nobody is at work on the task."""
    task = parse_task_id(task_id)
    shared.require_room()

    def open_log() -> Printed:
        only = _only(shared.project, task, attempt, stderr)
        start = None if since is None else spot(since)
        return Printed(shared.project, task, stderr=stderr, only=only, start=start, tail=tail)

    printed = await shared.read(open_log)
    await shared.ready()
    stream = Stream("log", lambda: refusal(request, asking))
    return EventStream(shared, stream, _pieces(shared, stream, printed, (task, stderr)))


def _only(project: Project, task_id: TaskId, number: int | None, stderr: bool) -> RunId | None:
    """The attempt that is asked for; `NotFound` where it is not there, or there is none and none will come."""
    if number is None and goes_on(project.runs.get(task_id)):
        return None
    found = attempt_log(project, task_id, number=number, stderr=stderr).run_id
    return None if number is None else found


async def _pieces(
    shared: Live, stream: Stream, printed: Printed, watched: tuple[TaskId, bool]
) -> AsyncGenerator[bytes]:
    yield retry() + event("hello", {"version": __version__, "task_id": watched[0]})
    try:
        with shared.watchers.watching(*watched, stream):
            while not stream.is_ending:
                stream.news.clear()
                found = await shared.read(printed.look)
                if found.data:
                    yield found.data
                elif stream.take_beat():
                    yield heartbeat()
                elif not found.is_over:
                    await stream.news.wait()
                if found.is_over:
                    return
    except ConductorError as error:
        stream.fail(await shared.reason(error))
    finally:
        printed.close()
    yield stream.farewell
