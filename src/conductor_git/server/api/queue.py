"""The queue, and what has landed."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body, Query

from conductor_git.server.api import bodies, examples, shapes
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asked import wish_of
from conductor_git.server.api.asking import Change, Look
from conductor_git.server.api.routing import api_router, changed, told
from conductor_git.server.document import Document
from conductor_git.workflow.documents.excerpt import excerpt_document, files_document
from conductor_git.workflow.documents.landing import processed_document, queues_document
from conductor_git.workflow.excerpt import MOST_BYTES, gate_log, gate_logs
from conductor_git.workflow.landings import landing, landings, parse_landing
from conductor_git.workflow.queue import process, queues

router = api_router("queue")

_READY = {
    "task_id": "fix-login",
    "priority": 0,
    "approved_at": "2026-01-05T09:45:00.000000Z",
    "approved_commit": examples.TASK["head_commit"],
    "last_outcome": None,
    "place": 1,
}
_ALL = bodies.Process()
_EVIDENCE = {"landing_id": "0" * 40, "target": "main", "landings": [{"task_id": "fix-login", "reviewers": ["ada"]}]}


@router.get("/queue", responses=told(shapes.Queues, {"queues": [{"target": "main", "ready": [_READY], "waiting": []}]}))
def read_queue(
    asking: Look,
    target: Annotated[str | None, Query(max_length=200, description="Only the queue of this branch.")] = None,
) -> Document:
    """What lands next on each target, in that order, and what waits for other tasks."""
    return answer(**queues_document(queues(asking.project, target)))


@router.post(
    "/queue/process",
    responses=changed(shapes.Processed, {"dry_run": False, "landings": [], "waiting": []}, tag=False),
)
def process_queue(asking: Change, body: Annotated[bodies.Process, Body()] = _ALL) -> Document:
    """Land all that is approved. A task that did not land has its `error` in the answer, and the rest went on."""
    asking.audit_trust(body.trust, "queue process")
    wish, clock = wish_of(body), asking.serving.clock
    processed = process(asking.project, by=asking.by, at=clock, target=body.target, wish=wish)
    return answer(**processed_document(processed, dry_run=body.dry_run))


@router.get("/landings", responses=told(shapes.Landings, {"landings": [_EVIDENCE]}))
def list_landings(asking: Look, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Document:
    """What was put on which target last, the newest first, with the evidence for it."""
    return answer(landings=list(landings(asking.project, limit=limit)))


@router.get(
    "/landings/{landing_id}",
    responses=told(shapes.OneLanding, {"landing": _EVIDENCE, "gate_logs": [{"name": "01-tests.log", "size": 120}]}),
)
def read_landing(asking: Look, landing_id: str) -> Document:
    """The evidence of a landing, null where gates refused it, and the logs of its gates."""
    wanted = parse_landing(landing_id)
    found = landing(asking.project, wanted)
    return answer(landing=found, gate_logs=files_document(gate_logs(asking.project, wanted)))


@router.get("/landings/{landing_id}/gates/{name}", responses=told(shapes.OneFile, {"file": examples.FILE}))
def read_gate_log(
    asking: Look,
    landing_id: str,
    name: str,
    offset: Annotated[int, Query(ge=0, le=1 << 50)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_BYTES)] = MOST_BYTES,
) -> Document:
    """What a gate printed, secrets masked; go on at `next_offset`."""
    found = gate_log(asking.project, parse_landing(landing_id), name, offset=offset, limit=limit)
    return answer(file=excerpt_document(found))
