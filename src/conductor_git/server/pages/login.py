"""Letting a browser in: by the link that `serve` prints, or with a token that one pastes. And out again.

Opening the link changes nothing: it shows a form that holds the code, and sending that uses the code up. So nothing
that follows links by itself (a preview, a prefetch) takes the code from whom it was made for.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from conductor_git.server.access.form import Form
from conductor_git.server.access.gate import cookie_name
from conductor_git.server.access.sessions import SESSION
from conductor_git.server.pages.rendering import page
from conductor_git.server.serving import Serving, serving

router = APIRouter(include_in_schema=False)

Server = Annotated[Serving, Depends(serving)]


@router.get("/login")
def login_form(request: Request, code: str = "") -> HTMLResponse:
    """The form; changes nothing, whatever the code is."""
    return page(request, "login.html", code=code, trouble="")


@router.post("/login")
def log_in(request: Request, server: Server, form: Form) -> Response:
    """Begin a session for whoever shows a code of a link or a token, in a cookie that no script can read."""
    token_id = _shown(server, form.get("code", ""), form.get("token", ""))
    if token_id is None:
        trouble = "That link was used before or is too old, or the token is not known."
        return page(request, "login.html", status=401, code="", trouble=trouble)
    entered = RedirectResponse("/", status_code=303)
    entered.set_cookie(
        cookie_name(request),
        server.gate.sessions.open(token_id),
        max_age=int(SESSION.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return entered


@router.post("/logout")
def log_out(request: Request, server: Server) -> Response:
    """End the session of this browser, whatever its role may change."""
    server.gate.known(request)
    server.gate.sessions.close(request.cookies.get(cookie_name(request), ""))
    left = RedirectResponse("/login", status_code=303)
    left.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
    return left


def _shown(server: Serving, code: str, token: str) -> str | None:
    token_id = server.gate.sessions.redeem(code) if code else None
    if token_id is not None:
        return token_id if server.gate.tokens.by_id(token_id) else None
    found = server.gate.tokens.who(token.strip())
    return None if found is None else found.token_id
