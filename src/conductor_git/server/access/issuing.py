"""Tokens made and revoked: each is said on the bus, by whom and for whom, and never the token itself."""

from __future__ import annotations

from datetime import datetime

from conductor_git.errors import BadInput
from conductor_git.message import Message
from conductor_git.names import parse_task_id
from conductor_git.project import Project
from conductor_git.review import parse_reviewer
from conductor_git.server.access import tokens
from conductor_git.server.access.role import Role
from conductor_git.server.access.tokens import Token, Tokens


def issue(
    project: Project, name: str | None, role: Role, *, task: str | None = None, by: str, at: datetime
) -> tuple[Token, str]:
    """A new token, durable when this returns, and its text. A worker's goes by the name of its task, which must be
    there (`NotFound`), and counts for the task's generation of now."""
    if (role is Role.WORKER) != (task is not None):
        raise BadInput(
            "a worker's token, and no other, is for one task",
            hint="conductor-git serve token add --role worker --task TASK",
        )
    if task is not None:
        run = project.runs.get(parse_task_id(task))
        made = tokens.make(run.task_id, role, at=at, task_id=run.task_id, generation=run.generation)
    else:
        made = tokens.make(parse_reviewer(name or by), role, at=at)
    Tokens(project.layout).add(made[0])
    _tell(project, made[0], "made", by)
    return made


def withdraw(project: Project, token_id: str, *, by: str) -> Token:
    """Revoke a token, durably: every server of the project refuses it from the next request on."""
    token = Tokens(project.layout).revoke(token_id)
    _tell(project, token, "revoked", by)
    return token


def _tell(project: Project, token: Token, done: str, by: str) -> None:
    who = token.who
    body = f"token {who.token_id} of {who.name} ({who.role}) was {done} by {by}"
    meta = {"event": f"token_{done}", "token_id": who.token_id, "role": str(who.role), "name": who.name, "by": by}
    project.bus.append(Message(type="INFO", body=body, project_id=project.project_id, task_id=who.task_id, meta=meta))
