"""What is new on the bus for a task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Final

from conductor_git.message import Message, id_time
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.looking.news import news, own_runs
from conductor_git.workflow.prompting.identity import turn
from conductor_git.workflow.prompting.quoting import line_of, quoted, words_of

_CHARACTERS: Final = 2000
_ANSWER: Final = """\
Answer what waits for your answer, by its id:

    conductor-git bus post --parent {parent} 'the answer'"""


def what_is_new(project: Project, run: Run, *, has_shell: bool) -> str:
    """The messages for the worker since its last attempt began (before a first one: since spawn), the newest last.

    Since it began and not since it ended: what was said meanwhile need not have been read. With `has_shell`, it
    is told how to answer.
    """
    last = turn(run).last
    since = int((last.started_at if last else run.created_at).timestamp() * 1_000_000) * 1000
    runs = own_runs(project.layout, run.task_id)
    found = news(project.bus, _said_since(project, run, since), run.task_id, runs)
    if not found:
        return ""
    told = "\n\n".join(_words(message, has_shell) for message in found)
    how = f"\n\n{_answer(_asking(found))}" if has_shell else ""
    return f"## What is new on the bus\n\n{told}{how}"


def _answer(message: Message) -> str:
    return _ANSWER.format(parent=quote(f"{line_of(message.msg_id)}:answers"))


def _asking(messages: Sequence[Message]) -> Message:
    return next((message for message in reversed(messages) if message.type == "QUESTION"), messages[-1])


def _words(message: Message, has_shell: bool) -> str:
    msg_id = line_of(message.msg_id)
    about = f", about {line_of(message.task_id)}" if message.task_id else ""
    body = words_of(message.body, _CHARACTERS)
    told = f"{line_of(message.type)} {msg_id}{about}:\n{quoted(body)}"
    if has_shell and len(body) > _CHARACTERS:
        told += f"\nThe whole of it: conductor-git bus read --thread {quote(msg_id)}"
    return told


def _said_since(project: Project, run: Run, since: int) -> Iterator[Message]:
    """The messages since `since` (Unix time in ns), and those of other tools, whose ids tell no time."""
    for message in project.bus.read(_before(project, run, since)):
        at = id_time(message.msg_id)
        if at is None or at >= since:
            yield message


def _before(project: Project, run: Run, since: int) -> str | None:
    """A message from which on to read: the task's last transition before `since`, or its spawn."""
    told = project.bus.tail(len(run.history), types=("STATE",), task_id=run.task_id)
    earlier = [message.msg_id for message in told if (id_time(message.msg_id) or since) < since]
    spawned = [message.msg_id for message in told[:1] if message.meta.get("step") == "1"]
    return earlier[-1] if earlier else next(iter(spawned), None)
