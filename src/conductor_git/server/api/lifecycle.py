"""What moves a task from state to state: each route is one command, with the same workflow below it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Body

from conductor_git.runner.stop import end_attempt
from conductor_git.server.api import bodies, examples, shapes
from conductor_git.server.api.answer import answer, tagged, task_answer
from conductor_git.server.api.asked import judge, wish_of
from conductor_git.server.api.asking import Change, TaskPath
from conductor_git.server.api.routing import api_router, changed
from conductor_git.server.document import Document
from conductor_git.workflow import beat as beating
from conductor_git.workflow import end, finish, land, queue, resume, retry, review, start, undo
from conductor_git.workflow.documents.landing import landed_document, undone_document
from conductor_git.workflow.landing.wish import Wish

router = api_router("lifecycle")

_ONE: Final = {"task": examples.TASK}
_TASK: Final = changed(shapes.OneTask, _ONE)
_LANDED: Final = {**_ONE, "outcome": "LANDED", "dry_run": False, "files": ["src/login.py"], "cleanup": None}
_UNDONE: Final = {**_ONE, "undo_commit": "0" * 40, "dry_run": False, "files": ["src/login.py"]}

Why = Annotated[bodies.Reason, Body()]
_NO_REASON: Final = bodies.Reason()
_NO_OPINION: Final = bodies.Opinion()
_NO_NOTE: Final = bodies.Beat()
_AS_IT_IS: Final = bodies.Done()
_PLAIN: Final = bodies.Merge()
_PLAIN_UNDO: Final = bodies.Undo()
_GO_ON: Final = bodies.Retry()


@router.post("/tasks/{task_id}/start", responses=_TASK)
def start_task(asking: Change, task_id: TaskPath) -> Document:
    """Take the task up: ASSIGNED → WORKING."""
    return task_answer(start.start(asking.guarded(task_id), task_id, by=asking.by, at=asking.now()))


@router.post(
    "/tasks/{task_id}/heartbeat", responses=changed(shapes.Beaten, {"task": {"task_id": "fix-login"}}, tag=False)
)
def heartbeat(asking: Change, task_id: TaskPath, body: Annotated[bodies.Beat, Body()] = _NO_NOTE) -> Document:
    """Its worker is alive; a note is posted as PROGRESS too."""
    project = asking.looked_at(task_id)
    beating.beat(
        project.layout, lambda: project.bus, task_id, by=asking.by, project_id=project.project_id, note=body.note
    )
    if not asking.by.is_worker_of(task_id):  # its own beats are a sign of life, and come every minute
        asking.audit("heartbeat", task_id)
    return answer(task={"task_id": task_id})


@router.post("/tasks/{task_id}/done", responses=_TASK)
def hand_in(asking: Change, task_id: TaskPath, body: Annotated[bodies.Done, Body()] = _AS_IT_IS) -> Document:
    """Hand the worktree's HEAD in for review: WORKING → IN_REVIEW."""
    project, at = asking.guarded(task_id), asking.now()
    return task_answer(finish.finish(project, task_id, by=asking.by, at=at, summary=body.summary, wip=body.wip))


@router.post("/tasks/{task_id}/approve", responses=_TASK)
def approve(asking: Change, task_id: TaskPath, body: Annotated[bodies.Opinion, Body()] = _NO_OPINION) -> Document:
    """Approve exactly the commit in review, under the name of the token."""
    return task_answer(judge(asking, task_id, body, review.approve))


@router.post("/tasks/{task_id}/request-changes", responses=_TASK)
def request_changes(
    asking: Change, task_id: TaskPath, body: Annotated[bodies.Opinion, Body()] = _NO_OPINION
) -> Document:
    """Send the task back to its worker, with comments."""
    return task_answer(judge(asking, task_id, body, review.request_changes))


@router.post("/tasks/{task_id}/merge", responses=changed(shapes.Landed, _LANDED))
def merge(asking: Change, task_id: TaskPath, body: Annotated[bodies.Merge, Body()] = _PLAIN) -> Document:
    """Land the approved commit on its target, gated as merged; answers once that is decided."""
    asking.audit_trust(body.trust, f"merge {task_id}")
    done = land.land(asking.guarded(task_id), task_id, by=asking.by, at=asking.serving.clock, wish=wish_of(body))
    return answer(200, tagged(done.run), **landed_document(done, dry_run=body.dry_run))


@router.post("/tasks/{task_id}/undo", responses=changed(shapes.Undone, _UNDONE))
def take_back(asking: Change, task_id: TaskPath, body: Annotated[bodies.Undo, Body()] = _PLAIN_UNDO) -> Document:
    """Take the landing back by a new commit on the target."""
    asking.audit_trust(body.trust, f"undo {task_id}")
    wish = Wish(wait_seconds=body.wait, dry_run=body.dry_run, trust=body.trust)
    project, clock = asking.guarded(task_id), asking.serving.clock
    undone = undo.undo(project, task_id, by=asking.by, at=clock, why=body.message or "", wish=wish)
    return answer(200, tagged(undone.run), **undone_document(undone, dry_run=body.dry_run))


@router.post("/tasks/{task_id}/cancel", responses=_TASK)
def cancel(asking: Change, task_id: TaskPath, body: Why = _NO_REASON) -> Document:
    """End a task that is not wanted any more; its branch and worktree stay."""
    project = asking.looked_at(task_id)
    return task_answer(end.cancel(project, task_id, by=asking.by, at=asking.now(), why=body.message))


@router.post("/tasks/{task_id}/fail", responses=_TASK)
def fail(asking: Change, task_id: TaskPath, body: Why = _NO_REASON) -> Document:
    """End a task that could not be done; its branch and worktree stay."""
    project = asking.looked_at(task_id)
    return task_answer(end.fail(project, task_id, by=asking.by, at=asking.now(), why=body.message))


@router.post("/tasks/{task_id}/retry", responses=_TASK)
def try_again(asking: Change, task_id: TaskPath, body: Annotated[bodies.Retry, Body()] = _GO_ON) -> Document:
    """Start a failed or cancelled task again, as a new generation."""
    project = asking.looked_at(task_id)
    run, _ = retry.retry(project, task_id, by=asking.by, at=asking.now(), reset=body.reset)
    return task_answer(run)


@router.post("/tasks/{task_id}/stop", responses=changed(shapes.Stopped, {**_ONE, "stopped": True}))
def stop(asking: Change, task_id: TaskPath) -> Document:
    """End the task's agent with everything it started; branch, worktree and state stay."""
    project = asking.looked_at(task_id)
    was_running = end_attempt(project, task_id, at=asking.now())
    asking.audit("stop", task_id)
    return task_answer(project.runs.get(task_id), stopped=was_running)


@router.post("/tasks/{task_id}/resume", responses=changed(shapes.Resumed, {**_ONE, "started": True}))
def go_on(asking: Change, task_id: TaskPath) -> Document:
    """Give the task a supervisor again, which adopts an agent that still lives."""
    run, was_started = resume.resume(asking.looked_at(task_id), task_id)
    asking.audit("resume", task_id)
    return task_answer(run, started=was_started)


@router.post("/tasks/{task_id}/priority", responses=_TASK)
def prioritise(asking: Change, task_id: TaskPath, body: Annotated[bodies.Priority, Body()]) -> Document:
    """Of two approved tasks the one with the higher priority lands first."""
    run = queue.prioritise(asking.guarded(task_id), task_id, body.priority, at=asking.now())
    asking.audit(f"priority {body.priority}", task_id)
    return task_answer(run)
