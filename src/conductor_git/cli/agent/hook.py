"""`conductor-git hook session-start | tool-use | stop`: what hooks of agents call; plumbing, as `hook` of git's hooks.

The event comes as JSON on standard input, and what is to be said goes as JSON to standard output; both have one shape
in Claude Code, Codex and Gemini CLI (docs/agent-hooks.md). Whatever goes wrong is told on standard error, and the exit
code is 0 all the same: a code of 2 would block the agent. `tool-use` comes after every tool, and costs a heartbeat.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from conductor_git.actor import worker
from conductor_git.context import WorkerContext
from conductor_git.environment import inherited, variable
from conductor_git.errors import ConductorError, NoContext
from conductor_git.identity import find_context
from conductor_git.layout import Layout
from conductor_git.workflow.beat import beat

if TYPE_CHECKING:
    from conductor_git.bus.base import Bus

_PIECE: Final = 1 << 16
_LONGEST_EVENT: Final = 1 << 20
_SESSION_LIMIT: Final = 4096


def hook(name: str) -> None:
    """Answer one event of an agent."""
    try:
        context = find_context(Path.cwd(), inherited()).context
        _beat(context)
        if name == "tool-use":
            _drain()
        elif name == "session-start":
            _say(_at_start(context, _event()))
        else:
            _say(_at_stop(context, _event()))
    except NoContext:
        _drain()
    except ConductorError as refused:
        _drain()
        print(f"conductor-git: {refused.message}", file=sys.stderr)


def _beat(context: WorkerContext) -> None:
    def bus() -> Bus:
        from conductor_git.bus.current import CurrentBus

        return CurrentBus(context.state_dir)

    by = worker(context.task_id, context.generation, inherited())
    beat(Layout(context.state_dir.parent), bus, context.task_id, by=by, project_id=context.project_id)


def _at_start(context: WorkerContext, event: dict[str, Any]) -> dict[str, Any] | None:
    """The context and what is new. An agent that conductor-git starts has both in its prompt already."""
    if variable("CONDUCTOR_RUN_ID") and event.get("source") == "startup":
        return None
    from conductor_git.cli.agent.guiding import at_start

    said = {"hookEventName": "SessionStart", "additionalContext": at_start(context)}
    return {"hookSpecificOutput": said}


def _at_stop(context: WorkerContext, event: dict[str, Any]) -> dict[str, Any] | None:
    """Once in a session: how to hand in what is not handed in."""
    from conductor_git.workflow.looking.whoami import state_of

    layout = Layout(context.state_dir.parent)
    session = str(event.get("session_id", ""))[:_SESSION_LIMIT]
    if event.get("stop_hook_active") is not False or not session:
        return None
    if state_of(layout, context) not in ("ASSIGNED", "WORKING") or not _is_first(layout, context, session):
        return None
    from conductor_git.cli.agent.guiding import at_stop

    return {"decision": "block", "reason": at_stop(context, state_of(layout, context))}


def _is_first(layout: Layout, context: WorkerContext, session: str) -> bool:
    """Whether this session of this generation was not reminded yet; it is from now on."""
    from conductor_git import durable

    path, mark = layout.reminded(context.task_id), f"{context.generation} {session}".encode()
    try:
        if durable.read_regular(path, 2 * _SESSION_LIMIT * 4) == mark:
            return False
    except FileNotFoundError:
        pass
    durable.write_through(path, mark)
    return True


def _event() -> dict[str, Any]:
    """What standard input says; an empty event where it is no JSON object, or longer than any that means something."""
    data = bytearray()
    for piece in _pieces():
        if len(data) <= _LONGEST_EVENT:
            data += piece
    try:
        found = json.loads(data) if len(data) <= _LONGEST_EVENT else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _drain() -> None:
    """Read what the agent writes, so that it never writes to nobody."""
    for _ in _pieces():
        pass


def _pieces() -> Iterator[bytes]:
    if not sys.stdin.isatty():
        while piece := os.read(0, _PIECE):
            yield piece


def _say(answer: dict[str, Any] | None) -> None:
    if answer is not None:
        print(json.dumps(answer))
