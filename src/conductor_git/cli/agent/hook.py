"""`conductor-git hook session-start | tool-use | stop`: what hooks of agents call; plumbing, as `hook` of git's hooks.

The event comes as JSON on standard input, and what is to be said goes as JSON to standard output; both have one shape
in Claude Code, Codex and Gemini CLI (docs/agent-hooks.md). Whatever goes wrong is told on standard error, and the exit
code is 0 all the same: a code of 2 would block the agent. `tool-use` comes after every tool, and costs a heartbeat.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Iterator
from contextlib import suppress
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
_PATIENCE: Final = 2.0
"""Seconds; an agent writes its event at once, and waits for us meanwhile."""
_LONGEST_EVENT: Final = 1 << 20
_SESSION_LIMIT: Final = 4096


def hook(name: str) -> None:
    """Answer one event of an agent."""
    said = _said()
    try:
        _answer(name, said)
    except NoContext:
        pass
    except ConductorError as refused:
        _tell(refused)
    except Exception as error:  # noqa: BLE001 - the boundary: no trouble of ours may stop an agent
        _tell_trouble(error, name)


def _answer(name: str, said: bytes) -> None:
    context = find_context(Path.cwd(), inherited()).context
    _beat(context)
    if name == "session-start":
        _say(_at_start(context, _event(said)))
    elif name == "stop":
        _say(_at_stop(context, _event(said)))


def _tell(refused: ConductorError) -> None:
    print(f"conductor-git: {refused.message}", file=sys.stderr)


def _tell_trouble(error: Exception, name: str) -> None:
    from conductor_git.cli.bug import report_bug
    from conductor_git.cli.main import of_the_system

    refused = of_the_system(error)
    if refused is None:
        report_bug(error, ["hook", name], as_json=False)
    else:
        _tell(refused)


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


def _event(said: bytes) -> dict[str, Any]:
    """What `said` means; an empty event where it is no JSON object, or longer than any that means something."""
    try:
        found = json.loads(said) if len(said) <= _LONGEST_EVENT else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _said() -> bytes:
    """All of standard input, so that the agent never writes to nobody; of what is too long, as much as tells so."""
    data = bytearray()
    for piece in pieces():
        if len(data) <= _LONGEST_EVENT:
            data += piece
    return bytes(data)


def pieces(fd: int = 0, patience: float = _PATIENCE) -> Iterator[bytes]:
    """What comes until the end, or until nothing came for so many seconds: some keep the pipe open."""
    with suppress(OSError):  # there is none, or it is no file to be read
        while not os.isatty(fd) and select.select([fd], [], [], patience)[0] and (piece := os.read(fd, _PIECE)):
            yield piece


def _say(answer: dict[str, Any] | None) -> None:
    if answer is not None:
        print(json.dumps(answer))
