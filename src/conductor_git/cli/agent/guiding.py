"""What teaches an agent to work here: `ctx --guide`, the skill made from it, and what its own hooks say.

The commands are those of the prompt (`workflow/prompting/protocol.py`), and the list of them is made from their help.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from conductor_git.context import WorkerContext
from conductor_git.names import TaskId
from conductor_git.workflow.prompting.protocol import protocol

_COMMANDS: Final = (
    ("ctx",),
    ("start",),
    ("heartbeat",),
    ("bus", "post"),
    ("bus", "read"),
    ("conflicts",),
    ("done",),
    ("fail",),
)
"""What a worker uses, in the order in which it does."""
_ANY_TASK: Final = TaskId("TASK")
_ANY_TARGET: Final = "the target"
_MOST_CONTEXT: Final = 6000
"""So many characters of the context are put into a session: with the rest they stay below the 10,000 that Claude Code
and Codex take whole."""
_WHERE: Final = "This is for a directory in which `conductor-git ctx` names a task. Elsewhere you are no worker of it."
"""In an AGENTS.md every agent reads the guide, also one that coordinates workers in the main checkout."""
_BEGIN: Final = """\
Look what your task is. Where its state is ASSIGNED, take it up:

    conductor-git ctx
    conductor-git start"""
_SKILL: Final = """\
---
name: conductor-git
description: Work on a task in a worktree of conductor-git. Use it where `conductor-git ctx` names a task.
---

"""


def guide(context: WorkerContext | None) -> str:
    """How any agent works as a worker, in less than sixty lines; of this worker's task where it is one."""
    task, target = (context.task_id, context.target) if context else (_ANY_TASK, _ANY_TARGET)
    how = protocol(task, target).removeprefix("## How you work here\n\n")
    begin = _BEGIN if context else f"{_WHERE}\n\n{_BEGIN}"
    return "\n".join((f"# Working as a worker of conductor-git\n\n{begin}\n\n{how}\n\n## The commands\n", *_listed()))


def skill() -> str:
    """`hooks/agents/SKILL.md`: the guide as a skill, for agents that load such files when they are of use."""
    return f"{_SKILL}{guide(None)}\n"


def _listed() -> Iterator[str]:
    for words in _COMMANDS:
        yield f"- `conductor-git {' '.join(words)}`: {_help(words)}"


def _help(words: tuple[str, ...]) -> str:
    """The first line of a command's help."""
    from typer.main import get_command

    from conductor_git.cli.commands import app

    command: Any = get_command(app)
    for word in words:
        command = command.get_command(None, word)
    return str(command.help).split("\n", 1)[0]


def at_start(context: WorkerContext) -> str:
    """What an agent hears when its session begins: who it is, what is new, and how it works here."""
    from conductor_git.cli.agent.who import text_of
    from conductor_git.workflow.looking.whoami import whoami

    who = whoami(context)
    said = text_of(who)
    said = said if len(said) <= _MOST_CONTEXT else f"{said[:_MOST_CONTEXT]}…\n\nAll of it: conductor-git ctx"
    if context.review_of is not None:
        return said  # its prompt says how it answers
    begin = "\n\nTake it up first:\n\n    conductor-git start" if who.state == "ASSIGNED" else ""
    return f"{said}\n\n{protocol(context.task_id, context.target)}{begin}"


def at_stop(context: WorkerContext, state: str) -> str:
    """What an agent hears that stops with its task still open."""
    if context.review_of is not None:
        how = f"conductor-git approve {context.review_of}, or conductor-git request-changes {context.review_of} -m '…'"
        return f"The review of {context.review_of} has no verdict yet. Give it: {how}. {_ELSE}"
    begin = "conductor-git start, then " if state == "ASSIGNED" else ""
    return (
        f"The task {context.task_id} is {state} and not handed in. If it is done, commit all of it and run "
        f"{begin}conductor-git done -m 'what was done'. {_ELSE}"
    )


_ELSE: Final = (
    "Where it cannot be done: conductor-git fail -m 'what stands in the way'. If you wait for a person, say so and "
    "stop: you are reminded once."
)
