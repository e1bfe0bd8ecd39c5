"""What adapters of command lines have in common: tools, failures, the commands of a worker, the way to its prompt."""

from __future__ import annotations

from typing import Final

from conductor_git.runner.agents import limits
from conductor_git.runner.agents.base import AgentEvent, Ask, Kind, Limit
from conductor_git.runner.agents.jsonline import text

_OURS: Final = ("ctx", "done", "fail", "heartbeat", "bus", "wait", "conflicts", "status", "show", "diff")
WORK_COMMANDS: Final = (
    *(f"git {verb}" for verb in ("add", "commit", "status", "diff", "log", "show", "rm", "mv")),
    *(f"conductor-git {verb}" for verb in _OURS),
)
"""What a worker has to run, for agents that run only what they are permitted to.

Not `git` or `conductor-git` as a whole: `git -c alias.x='!…'` and `conductor-git spawn x -- …` run anything.
"""
_SHOWN: Final = 200
_TELLING: Final = ("command", "file_path", "path", "absolute_path", "pattern", "query", "url", "description")
"""Of a tool's parameters, the one that says what it is used on."""


def tool(name: str, parameters: object) -> AgentEvent:
    """The use of a tool: its name, and what it is used on where that is plain."""
    used_on = next((value for key in _TELLING if (value := text(parameters, key))), "")
    return AgentEvent(Kind.TOOL, f"{name} {used_on[:_SHOWN]}".strip())


def failure(message: str, code: str = "", limit: Limit | None = None) -> AgentEvent:
    """An error that an agent told, which is a limit where its words, its `code` or its HTTP status say so."""
    told = limits.told(f"{message}\n{code}")
    if told is None and limit is None:
        return AgentEvent(Kind.ERROR, message or code)
    kind, until = told or (limit, None)
    return AgentEvent(Kind.LIMIT, message or code, limit=kind, until=until)


def read_prompt(ask: Ask) -> str:
    """What an agent with a terminal is told: a prompt is too long for an argument."""
    return f"Read the file {ask.prompt} and do the task that it describes."
