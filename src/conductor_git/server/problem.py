"""How errors are told over HTTP: every refusal is the `error` document of the command line, with a status."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from conductor_git import durable, errors
from conductor_git.errors import ConductorError
from conductor_git.server import refusals
from conductor_git.server.document import SCHEMA, Document

STATUSES: Final[Mapping[type[ConductorError], int]] = {
    ConductorError: 409,
    errors.BadInput: 422,
    errors.BadPlan: 422,
    errors.NotFound: 404,
    errors.BaseNotFound: 404,
    errors.UnknownCursor: 404,
    refusals.Unauthorized: 401,
    refusals.Forbidden: 403,
    errors.SelfReview: 403,
    errors.WrongReviewer: 403,
    errors.Untrusted: 403,
    errors.ConfigChanged: 403,
    errors.UnsafePath: 403,
    refusals.MethodNotAllowed: 405,
    errors.StaleRevision: 412,
    errors.TooLarge: 413,
    refusals.UnsupportedType: 415,
    refusals.WrongHost: 421,
    errors.GitFailed: 500,
    errors.LockTimeout: 503,
    errors.StateUnwritable: 503,
    errors.NotARepository: 503,
    refusals.RepositoryGone: 503,
    refusals.TokensUnreadable: 503,
    errors.BusDamaged: 503,
    refusals.TooManyStreams: 503,
    errors.BusMoved: 503,
    errors.GitTooOld: 503,
    errors.WaitTimeout: 504,
}
"""Error → HTTP status; an error that is not named has the status of the nearest one it is a kind of."""

_CODES: Final[Mapping[int, type[ConductorError]]] = {
    400: errors.BadInput,
    401: refusals.Unauthorized,
    403: refusals.Forbidden,
    404: errors.NotFound,
    405: refusals.MethodNotAllowed,
    413: errors.TooLarge,
    415: refusals.UnsupportedType,
}


def status_of(refused: ConductorError) -> int:
    return next(STATUSES[kind] for kind in type(refused).__mro__ if kind in STATUSES)


def document_of(refused: ConductorError) -> dict[str, Any]:
    return {"schema": SCHEMA, "error": refused.document()}


def answer(refused: ConductorError, status: int | None = None, headers: Mapping[str, str] | None = None) -> Document:
    """`refused` as an answer: its status, and what HTTP wants beside it."""
    status = status or status_of(refused)
    extra = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(status, {})
    return Document(document_of(refused), status, headers={**extra, **(headers or {})})


def of_the_system(error: Exception) -> ConductorError | None:
    """The refusal for what the system would not let us do to a file; else None."""
    if durable.is_of_the_system(error) and error.filename is not None:
        return durable.unwritable(Path(error.filename), error)
    return None


def bug(request_id: str) -> Document:
    """The answer where we made a mistake; only the server's log says more, under the same id."""
    error = {
        "code": "BUG",
        "message": "this is a bug in conductor-git",
        "hint": f"look for {request_id} in what the server printed, and report it",
        "request_id": request_id,
    }
    return Document({"schema": SCHEMA, "error": error}, 500)


def install(app: FastAPI) -> None:
    """Let `app` tell every refusal in one shape: ours, of the framework, of the router."""
    app.add_exception_handler(ConductorError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_http)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConductorError)
    if is_gone(request) and not isinstance(error, refusals.RepositoryGone):
        return _told(request, gone())
    return _told(request, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [{"at": ".".join(map(str, found["loc"])), "problem": str(found["msg"])} for found in error.errors()]
    said = "; ".join(f"{problem['at']}: {problem['problem']}" for problem in problems[:3])
    refused = errors.BadInput(f"the request cannot be meant so: {said}", hint="see /api/v1/openapi.json")
    refused.facts["problems"] = problems
    return _told(request, refused)


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    place = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        refused: ConductorError = errors.NotFound(f"there is no {request.url.path}", hint="see /api/v1/openapi.json")
    elif error.status_code == 405:
        refused = refusals.MethodNotAllowed(f"nothing answers {place}", hint="see /api/v1/openapi.json")
    else:
        kind = _CODES.get(error.status_code, ConductorError)
        refused = kind(str(error.detail), hint="see /api/v1/openapi.json")
    return _told(request, refused, error.status_code, error.headers)


def _told(
    request: Request, refused: ConductorError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """As a page where a person's browser asked for one, else as the document."""
    status = status or status_of(refused)
    page = getattr(request.app.state, "problem_page", None)
    wants_page = not request.url.path.startswith("/api/") and "text/html" in request.headers.get("accept", "")
    if wants_page and page is not None:
        shown = page(request, status, refused)
        assert isinstance(shown, Response)
        return shown
    return answer(refused, status, headers)


def is_gone(request: Request) -> bool:
    """Whether the repository was removed under the server: then that is why whatever failed has failed."""
    return not request.app.state.serving.project.layout.common_dir.is_dir()


def gone() -> refusals.RepositoryGone:
    return refusals.RepositoryGone("the repository that this server is for is not there any more", hint="git status")
