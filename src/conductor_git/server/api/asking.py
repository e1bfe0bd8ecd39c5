"""What a route is given: the project, who asks, the clock; for a change also the revision that it is meant for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Header, Path

from conductor_git.actor import Actor
from conductor_git.errors import BadInput
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project
from conductor_git.review import parse_reviewer
from conductor_git.server.access.role import Who
from conductor_git.server.api.rights import allowed
from conductor_git.server.audit import audit
from conductor_git.server.serving import Serving, serving
from conductor_git.store.expecting import ExpectingRuns, require_revision
from conductor_git.workflow.mend import mend

_TAGS: Final = re.compile(r'(?:(?:W/)?"[^"]*"\s*(?:,\s*|$))+', re.ASCII)
_TAG: Final = re.compile(r'(W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Asking:
    """A request that may look: by whom, at what."""

    serving: Serving
    who: Who

    @property
    def project(self) -> Project:
        return self.serving.project

    @property
    def by(self) -> Actor:
        return self.who.actor

    @property
    def reviewer(self) -> Actor:
        """Who asks under a name that can stand below a review."""
        return self.by._replace(name=parse_reviewer(self.who.name))

    def now(self) -> datetime:
        return self.serving.clock()


@dataclass(frozen=True, slots=True)
class Changing(Asking):
    """A request that changes something; `revisions` are those that it is meant for, None where any will do."""

    revisions: frozenset[int] | None = None

    def guarded(self, task_id: TaskId) -> Project:
        """The project for a verb on `task_id`, which is refused (`StaleRevision`) at any other revision."""
        if self.revisions is None:
            return self.project
        runs = ExpectingRuns(self.project.layout, task_id=task_id, revisions=self.revisions)
        return replace(self.project, runs=runs)

    def looked_at(self, task_id: TaskId) -> Project:
        """As `guarded`, for verbs that end an agent first, which changes the record: only looked at before."""
        if self.revisions is not None:
            require_revision(self.project.runs.get(task_id), self.revisions)
        return self.project

    def audit_trust(self, trust: bool, what: str) -> None:
        if trust:
            self.audit(f"agree to the commands of the target's config, for {what}")

    def audit(self, did: str, task_id: TaskId | None = None) -> None:
        """Say on the bus that whoever asks did this; for what posts no message that names them."""
        audit(self.project, self.who, did, task_id)


async def looking(server: Annotated[Serving, Depends(serving)], who: Annotated[Who, Depends(allowed)]) -> Asking:
    return Asking(server, who)


def changing(
    server: Annotated[Serving, Depends(serving)],
    who: Annotated[Who, Depends(allowed)],
    if_match: Annotated[
        str | None, Header(description="The `ETag` of the task that the change is meant for.", examples=['"3"'])
    ] = None,
) -> Changing:
    """Mends first what a killed command left, as every command does."""
    revisions = None if if_match is None else parse_match(if_match)
    mend(server.project, server.clock)
    return Changing(server, who, revisions)


def parse_match(text: str) -> frozenset[int] | None:
    """The revisions that an `If-Match` names; None for `*`, any. A weak tag matches nothing (RFC 9110, 13.1.1)."""
    if text.strip() == "*":
        return None
    if not _TAGS.fullmatch(text.strip()):
        raise BadInput(f'If-Match holds the ETag of a task, such as "3", and not {text[:80]}', hint="If-Match: *")
    found = [tag for weak, tag in _TAG.findall(text) if not weak]
    return frozenset(int(tag) for tag in found if tag.isascii() and tag.isdigit() and len(tag) < 10)


def _task_id(
    task_id: Annotated[
        str,
        Path(
            description="1 to 64 of `a-z 0-9 . _ -`.",
            examples=["fix-login"],
            json_schema_extra={"pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
        ),
    ],
) -> TaskId:
    return parse_task_id(task_id)


TaskPath = Annotated[TaskId, Depends(_task_id)]
Look = Annotated[Asking, Depends(looking)]
Change = Annotated[Changing, Depends(changing)]
