"""ask: a worker that asked on the bus waits a while for the answer."""

from __future__ import annotations

from contextlib import closing

from conductor_git.actor import Actor
from conductor_git.bus.watching.stop import Stop
from conductor_git.message import Message
from conductor_git.project import Project
from conductor_git.workflow.wait import beating


def await_answer(project: Project, question: str, *, by: Actor, stop: Stop) -> Message | None:
    """The first message that names `question` among its parents, also one that is there already; None at `stop`.

    `UnknownCursor` for a question that is not on the bus, `StaleGeneration` for a worker whose task was retried since.
    The worker beats meanwhile, and its place among the workers is lent: it is not quiet, it waits. What was found by
    searching past damage answers nothing.
    """
    project.bus.get(question)
    with beating(project, by), closing(project.bus.follow(question, stop=stop)) as messages:
        for message in messages:
            if not message.recovered and question in {parent.msg_id for parent in message.parents}:
                return message
    return None
