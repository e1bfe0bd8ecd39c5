"""Who looks at a page, and what the page lets them do. The gate decides again when they do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import Depends, Request

from conductor_git.errors import ConductorError
from conductor_git.server.access.gate import at_least, csrf
from conductor_git.server.access.role import Role
from conductor_git.server.streams.entry import BEGINNING

Reviewing: Final = Depends(at_least(Role.REVIEWER))
Administering: Final = Depends(at_least())
Talking: Final = Depends(at_least(Role.REVIEWER, Role.WORKER))


@dataclass(frozen=True, slots=True)
class Visitor:
    """`csrf` is what their forms send with every change."""

    name: str
    role: Role
    csrf: str

    @property
    def may_review(self) -> bool:
        return self.role in (Role.REVIEWER, Role.ADMIN)

    @property
    def may_administer(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def may_talk(self) -> bool:
        return self.role is not Role.VIEWER


def visitor(request: Request) -> Visitor | None:
    """Whoever asks; None for somebody who was not let in, as the page of a refusal finds them."""
    try:
        found = request.app.state.serving.gate.who(request)
        return Visitor(found.name, found.role, csrf(request))
    except ConductorError:
        return None


def remember_now(request: Request) -> None:
    """Take down where the bus is before a page is made, so that nothing is missed between the page and its stream."""
    request.state.since = next((message.msg_id for message in request.app.state.serving.project.bus.tail(1)), BEGINNING)


Looking: Final = Depends(remember_now)
