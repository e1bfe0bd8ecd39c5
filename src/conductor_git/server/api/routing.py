"""The routers of the API: where they hang, who passes, and what may go wrong on every route."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel

from conductor_git.server.api.rights import PREFIX, allowed
from conductor_git.server.api.shapes import Problem
from conductor_git.server.document import SCHEMA, Document

_WRONG: Final = {
    401: ("No token, or none that the server knows", "UNAUTHORIZED", "nobody is let in without a token"),
    403: ("The token may not do this", "FORBIDDEN", "a token of role viewer may not do this"),
    404: ("What it is about is not there", "NOT_FOUND", "there is no task fix-login"),
    422: ("The request cannot be meant so", "BAD_TASK_ID", "'a..b' is not a task id"),
    503: ("Not now: a lock, the disk or the repository", "LOCK_TIMEOUT", "the task's lock was still held"),
}
_WRONG_CHANGES: Final = {
    400: ("The body is not JSON", "BAD_INPUT", "There was an error parsing the body"),
    409: ("The state does not allow it; nothing was changed", "ILLEGAL_TRANSITION", "fix-login is COMPLETED"),
    412: ("The task is at another revision", "STALE_REVISION", "fix-login is at revision 4"),
    413: ("The body is too large", "TOO_LARGE", "a request holds at most so many bytes"),
    415: ("The body is not said to be JSON", "UNSUPPORTED_TYPE", "this route takes application/json"),
}
TAG: Final = {"ETag": {"description": "The revision of the task, for `If-Match`.", "schema": {"type": "string"}}}


MADE: Final[list[APIRouter]] = []
"""The routers that were made, one a module."""


def api_router(tag: str) -> APIRouter:
    """A router below `/api/v1` whose routes hold to the table of rights."""
    router = APIRouter(
        prefix=PREFIX,
        tags=[tag],
        dependencies=[Depends(allowed)],
        default_response_class=Document,
        generate_unique_id_function=_name,
    )
    MADE.append(router)
    return router


def told(
    model: type[BaseModel], example: dict[str, Any], status: int = 200, *, tag: bool = False
) -> dict[int | str, Any]:
    """The answers of a route that only looks: what it says, and what may be wrong."""
    good: dict[str, Any] = {"model": model, "content": {"application/json": {"example": {"schema": SCHEMA, **example}}}}
    if tag:
        good["headers"] = TAG
    return {status: good, **_problems(_WRONG)}


def changed(
    model: type[BaseModel], example: dict[str, Any], status: int = 200, *, tag: bool = True
) -> dict[int | str, Any]:
    """The same of a route that changes something."""
    return told(model, example, status, tag=tag) | _problems(_WRONG_CHANGES)


def _problems(wrong: dict[int, tuple[str, str, str]]) -> dict[int | str, Any]:
    return {
        status: {
            "model": Problem,
            "description": said,
            "content": {
                "application/json": {
                    "example": {
                        "schema": SCHEMA,
                        "error": {"code": code, "message": message, "hint": "conductor-git status --all"},
                    }
                }
            },
        }
        for status, (said, code, message) in wrong.items()
    }


def _name(route: APIRoute) -> str:
    return route.name
