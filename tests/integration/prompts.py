"""The prompt of an attempt that is about to begin, and what came before it, put on record without any agent."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from conductor_git.message import Message, Parent
from conductor_git.names import RunId, parse_task_id
from conductor_git.project import open_project
from conductor_git.run import Attempt, End, Run, utcnow
from conductor_git.runner.stop import with_attempt
from conductor_git.transition import note
from conductor_git.workflow.prompting.attempt import attempt_prompt
from tests.kit import tasks

ASKED: Final = "Pears cost 5\n\n- *always*\n"
_COMMAND: Final = re.compile(r"^ {4,}\S.*|conductor-git [a-z].*")


def made(repository: Path, task_id: str = "prices", *, edits: bool = True, now: datetime | None = None) -> bytes:
    """The prompt of the task's next attempt, to the byte."""
    run = tasks.record(repository, task_id)
    return attempt_prompt(open_project(repository), run, edits=edits, now=now or utcnow())


def text(repository: Path, task_id: str = "prices", *, edits: bool = True, now: datetime | None = None) -> str:
    return made(repository, task_id, edits=edits, now=now).decode()


def section(prompt: str, title: str) -> str:
    """The text below the heading that begins with `title`; empty where there is none."""
    found = re.search(rf"^## {re.escape(title)}[^\n]*\n\n(.*?)(?=\n\n## |\Z)", prompt, re.MULTILINE | re.DOTALL)
    return found[1].rstrip("\n") if found else ""


def titles(prompt: str) -> list[str]:
    return re.findall(r"^## (.*)$", prompt, re.MULTILINE)


def commands(prompt: str) -> list[str]:
    """Every command that a prompt tells, in its order; what is quoted in it is the word of others and no command."""
    own = (line for line in prompt.split("\n") if not line.startswith(">"))
    found = (_COMMAND.search(line) for line in own)
    return [match[0].strip() for match in found if match]


def attempted(repository: Path, out: bytes = b"", err: bytes = b"", *, task_id: str = "prices", **facts: Any) -> RunId:
    """Put an attempt on record as ended, with what it printed; returns its run id."""
    project, name = open_project(repository), parse_task_id(task_id)
    begun = utcnow()
    run_id = RunId(f"{begun:%Y%m%d-%H%M%S%f}-4242-1")
    ended: dict[str, Any] = {"end": End.EXITED, "exit_code": 0, "ended_at": begun + timedelta(milliseconds=1), **facts}
    attempt = replace(Attempt(run_id, "claude", None, None, None, begun), **ended)
    folder = project.layout.attempt(name, run_id)
    folder.mkdir(parents=True)
    (folder / "stdout.log").write_bytes(out)
    (folder / "stderr.log").write_bytes(err)
    note(project, name, lambda run: with_attempt(run, attempt), at=begun)
    return run_id


def say(repository: Path, body: str, kind: str = "INFO", *, parent: str | None = None, **facts: Any) -> str:
    """Post a message and return its id; `task_id` and `run_id` are as given, or nobody's."""
    parents = (Parent(parent, "answers"),) if parent else ()
    return open_project(repository).bus.append(Message(kind, body, "acme", parents=parents, **facts))


def changed(repository: Path, task_id: str = "prices", **facts: Any) -> Run:
    """The task's record with `facts` in it."""
    project = open_project(repository)
    return note(project, parse_task_id(task_id), lambda run: replace(run, **facts), at=datetime.now(UTC))
