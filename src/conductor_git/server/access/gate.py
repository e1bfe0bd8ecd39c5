"""What a request has to show before anything is done for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Request

from conductor_git.errors import ConductorError
from conductor_git.server.access.hosts import Hosts
from conductor_git.server.access.role import Role, Who
from conductor_git.server.access.sessions import Session, Sessions
from conductor_git.server.access.tokens import Tokens
from conductor_git.server.refusals import Forbidden, RepositoryGone, Unauthorized
from conductor_git.workflow.looking.glance import glance

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""The methods that change nothing."""
VERDICTS: Final = frozenset(f"/api/v1/tasks/{{task_id}}/{verb}" for verb in ("approve", "request-changes", "reviews"))
"""What the worker of a reviewer's task may do to another task, the one that it reviews."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Knows the tokens, the sessions of browsers and the names of the server; made once for a server."""

    tokens: Tokens
    sessions: Sessions
    hosts: Hosts = field(default_factory=Hosts)

    def who(self, request: Request) -> Who:
        """Whoever asks, as `known` has them; a viewer changes nothing, and a worker nothing of another task, the
        verdict of a reviewer's task excepted (`Forbidden`)."""
        found = self.known(request)
        if request.method not in SAFE:
            self._require_within(found, request)
        return found

    def known(self, request: Request) -> Who:
        """Whoever asks, by `Authorization: Bearer` or by the cookie; `Unauthorized` where neither is good, or
        `RepositoryGone` where that is because the tokens went with the whole repository.

        With the cookie, a change has to show the session's CSRF token too (`Forbidden`).
        """
        shown = request.headers.get("authorization")
        try:
            found = self._by_cookie(request) if shown is None else self._by_header(shown)
        except Unauthorized as refused:
            if self.tokens.layout.common_dir.is_dir():
                raise
            raise RepositoryGone(
                "the repository that this server is for is not there any more", hint="git status"
            ) from refused
        request.state.by = f"{found.name}/{found.token_id}"
        return found

    def session(self, request: Request) -> Session | None:
        """The browser's session, if this request comes from one."""
        value = request.cookies.get(cookie_name(request))
        return None if value is None else self.sessions.find(value)

    def _require_within(self, asking: Who, request: Request) -> None:
        if asking.role is Role.VIEWER:
            raise Forbidden("a viewer changes nothing", hint="conductor-git serve token add NAME --role reviewer")
        task_id = request.path_params.get("task_id")
        if asking.role is not Role.WORKER or task_id in (None, asking.task_id):
            return
        if str(request.scope["route"].path) not in VERDICTS or task_id != self._reviewed_by(asking):
            raise Forbidden(f"this token acts for {asking.task_id} only", hint=f"use {asking.task_id}", task_id=task_id)

    def _reviewed_by(self, asking: Who) -> str | None:
        """The task that the one of this worker reviews."""
        try:
            return asking.task_id and glance(self.tokens.layout, asking.task_id, "review_of")
        except (ConductorError, OSError):
            return None

    def _by_header(self, shown: str) -> Who:
        scheme, _, token = shown.partition(" ")
        found = self.tokens.who(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise Unauthorized(
                "the server knows no such token, or it was revoked", hint="conductor-git serve token list"
            )
        return found

    def _by_cookie(self, request: Request) -> Who:
        session = self.session(request)
        found = None if session is None else self.tokens.by_id(session.token_id)
        if session is None or found is None:
            raise Unauthorized(
                "nobody is let in without a token: send Authorization: Bearer TOKEN, or open the link that serve told",
                hint="conductor-git serve token add NAME",
            )
        if request.method not in SAFE and not session.is_shown_by(getattr(request.state, "csrf", "")):
            raise Forbidden("the form did not show the CSRF token of this session", hint="load the page again")
        return found


def cookie_name(request: Request) -> str:
    """The session's cookie. Cookies do not tell ports apart, and servers of two projects differ by nothing else."""
    return f"conductor_{request.url.port or 'session'}"


def who(request: Request) -> Who:
    """Whoever asks; for `Depends`, in routes that anybody with a token may use."""
    found = request.app.state.serving.gate.who(request)
    assert isinstance(found, Who)
    return found


def csrf(request: Request) -> str:
    """What forms of this browser have to send as `csrf`, and scripts as `X-CSRF-Token`; "" without a session."""
    session = request.app.state.serving.gate.session(request)
    return session.csrf if isinstance(session, Session) else ""


def at_least(*roles: Role) -> Callable[[Who], Who]:
    """For `Depends`: whoever asks, if they have one of `roles` (`Forbidden` otherwise). `ADMIN` always may."""

    def allowed(asking: Annotated[Who, Depends(who)]) -> Who:
        if asking.role is not Role.ADMIN and asking.role not in roles:
            raise Forbidden(
                f"a token of role {asking.role} may not do this",
                hint=f"conductor-git serve token add NAME --role {next(iter(roles), Role.ADMIN)}",
                role=str(asking.role),
                needs=[*map(str, roles), str(Role.ADMIN)],
            )
        return asking

    return allowed
