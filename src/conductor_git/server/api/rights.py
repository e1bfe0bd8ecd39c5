"""Which role may use which route of the API: one table, and the dependency of every route that holds to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Depends, Request

from conductor_git.server.access.gate import who
from conductor_git.server.access.role import Role, Who
from conductor_git.server.refusals import Forbidden

PREFIX: Final = "/api/v1"

_ANYBODY: Final = frozenset(Role)
_ADMIN: Final = frozenset({Role.ADMIN})
_REVIEWER: Final = _ADMIN | {Role.REVIEWER}
_WORKER: Final = _ADMIN | {Role.WORKER}
_SPEAKER: Final = _REVIEWER | _WORKER
_JUDGE: Final = _REVIEWER | _WORKER

RIGHTS: Final[Mapping[tuple[str, str], frozenset[Role]]] = {
    ("GET", "/tasks"): _ANYBODY,
    ("POST", "/tasks"): _WORKER,
    ("GET", "/tasks/{task_id}"): _ANYBODY,
    ("POST", "/tasks/{task_id}/start"): _WORKER,
    ("POST", "/tasks/{task_id}/heartbeat"): _WORKER,
    ("POST", "/tasks/{task_id}/done"): _WORKER,
    ("POST", "/tasks/{task_id}/fail"): _WORKER,
    ("POST", "/tasks/{task_id}/cancel"): _ADMIN,
    ("POST", "/tasks/{task_id}/retry"): _ADMIN,
    ("POST", "/tasks/{task_id}/stop"): _ADMIN,
    ("POST", "/tasks/{task_id}/resume"): _ADMIN,
    ("POST", "/tasks/{task_id}/approve"): _JUDGE,
    ("POST", "/tasks/{task_id}/request-changes"): _JUDGE,
    ("POST", "/tasks/{task_id}/merge"): _ADMIN,
    ("POST", "/tasks/{task_id}/undo"): _ADMIN,
    ("POST", "/tasks/{task_id}/priority"): _ADMIN,
    ("GET", "/tasks/{task_id}/reviews"): _ANYBODY,
    ("POST", "/tasks/{task_id}/reviews"): _JUDGE,
    ("GET", "/tasks/{task_id}/diff"): _ANYBODY,
    ("GET", "/conflicts"): _ANYBODY,
    ("GET", "/queue"): _ANYBODY,
    ("POST", "/queue/process"): _ADMIN,
    ("GET", "/landings"): _ANYBODY,
    ("GET", "/landings/{landing_id}"): _ANYBODY,
    ("GET", "/landings/{landing_id}/gates/{name}"): _ANYBODY,
    ("GET", "/tasks/{task_id}/attempts"): _ANYBODY,
    ("GET", "/tasks/{task_id}/attempts/{run_id}"): _ANYBODY,
    ("GET", "/tasks/{task_id}/attempts/{run_id}/files/{name}"): _ANYBODY,
    ("GET", "/bus"): _ANYBODY,
    ("POST", "/bus"): _SPEAKER,
    ("GET", "/bus/{msg_id}"): _ANYBODY,
    ("GET", "/agents"): _ANYBODY,
    ("POST", "/agents/check"): _ADMIN,
    ("GET", "/config"): _ANYBODY,
}
"""Method and path → who may. A worker changes its own task only, and a reviewer's gives the verdict on the task that it
reviews, which the gate sees to; what it makes is a sub-task of its own."""


async def allowed(request: Request, asking: Annotated[Who, Depends(who)]) -> Who:
    """Whoever asks, if the table lets them use this route (`Forbidden`); a route that is not in it is nobody's."""
    path = str(request.scope["route"].path).removeprefix(PREFIX)
    roles = RIGHTS.get((request.method, path), frozenset())
    if asking.role not in roles:
        needs = [str(role) for role in Role if role in roles]
        raise Forbidden(
            f"a token of role {asking.role} may not do this",
            hint=f"conductor-git serve token add NAME --role {_person(roles)}",
            role=str(asking.role),
            needs=needs,
        )
    return asking


def _person(roles: frozenset[Role]) -> Role:
    """The least of `roles` that a token for a person can have."""
    return next((role for role in Role if role in roles and role is not Role.WORKER), Role.ADMIN)
