"""The audit of a server: what is changed over HTTP is on the bus with who did it."""

from __future__ import annotations

from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.server.access.role import Who


def audit(project: Project, who: Who, did: str, task_id: TaskId | None = None) -> None:
    """Say that `who` did `did`; for changes whose own messages, if there are any, do not name whoever asked.

    Posted once it is done; an agreement to commands before, since it outlives a landing that fails. A worker is not
    told of these: they are no word to it.
    """
    about = f" of {task_id}" if task_id else ""
    meta = {"event": "http", "by": who.name, "token_id": who.token_id, "did": did}
    body = f"{who.name} over HTTP: {did}{about}"
    project.bus.append(Message(type="INFO", body=body, project_id=project.project_id, task_id=task_id, meta=meta))
