"""A message that somebody writes on a page."""

from __future__ import annotations

from typing import Final

from conductor_git.errors import BadInput
from conductor_git.message import Message, Parent
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.server.access.role import Who
from conductor_git.server.pages.forms import Form
from conductor_git.workflow.say import say as post

KINDS: Final = ("USER", "QUESTION", "DECISION", "FACT", "INFO", "ISSUE")
"""What people say to workers; the first is what is said where nothing is chosen."""


def say(project: Project, visitor: Who, form: Form, task_id: TaskId | None) -> str:
    """Post it, and return its id once it is on disk; `BadInput` where there is nothing to say."""
    body, kind, parent = form.one("body").strip(), form.one("kind") or KINDS[0], form.one("parent")
    if not body:
        raise BadInput("a message says something", hint="write it into the field above the button")
    if kind not in KINDS:
        raise BadInput(f"{kind[:40]!r} is not for people to post", hint=", ".join(KINDS))
    if parent:
        project.bus.get(parent)
    message = Message(
        type=kind,
        body=body,
        project_id=project.project_id,
        task_id=task_id,
        parents=(Parent(parent, "answers"),) if parent else (),
        meta={"by": visitor.name},
    )
    return post(project.bus, message).msg_id
