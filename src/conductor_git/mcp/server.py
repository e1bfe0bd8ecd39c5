"""The MCP server over standard input and output: the official SDK, with one thread for each call under way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final, NamedTuple

import anyio
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from conductor_git import __version__
from conductor_git.errors import BadInput, ConductorError
from conductor_git.mcp import coordinator, reviewer, worker
from conductor_git.mcp.arguments import schema
from conductor_git.mcp.call import Call, Calls
from conductor_git.mcp.seat import Seat
from conductor_git.mcp.tool import SCHEMA, Tool
from conductor_git.names import is_text

_WORKER: Final = "You are the worker of task {task}. Call whoami, work and commit in your worktree, then call done."
_REVIEWER: Final = "You are {task}, and review the task {reviewed}. Call whoami, look at its diff, then call review."
_COORDINATOR: Final = (
    "You coordinate workers: spawn tasks, wait for them, review their diffs, merge what is approved. A worker may wait "
    "for your answer meanwhile: read with types [QUESTION], and post with its msg_id as `answers`."
)
_SHOWN: Final = 80

Told = Callable[[Exception], Mapping[str, Any]]
"""The `error` of what is no refusal of ours: of the system's, or of a bug."""


class _Serving(NamedTuple):
    seat: Seat
    tools: Mapping[str, Tool]
    told: Told
    calls: Calls


def serve(seat: Seat, told: Told) -> None:
    """Answer until standard input ends, and then finish what was begun. Standard output holds only the protocol."""
    serving = _Serving(seat, {tool.name: tool for tool in tools_for(seat)}, told, Calls())
    asyncio.run(_serve(serving))
    serving.calls.drained()


def tools_for(seat: Seat) -> Sequence[Tool]:
    """What is offered here: to a coordinator, to a worker, or to one whose work is a review."""
    if seat.context is None:
        return coordinator.TOOLS
    return worker.TOOLS if seat.context.review_of is None else reviewer.TOOLS


def offered(tool: Tool) -> types.Tool:
    """A tool as clients are told of it."""
    hints = types.ToolAnnotations(read_only_hint=True) if tool.looks else None
    return types.Tool(name=tool.name, description=tool.text, input_schema=schema(tool.takes), annotations=hints)


async def _serve(serving: _Serving) -> None:
    server = _server(serving)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _server(serving: _Serving) -> Server[Any]:
    async def listed(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[offered(tool) for tool in serving.tools.values()])

    async def called(_: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        return await _called(partial(_answer, serving, params.name, params.arguments))

    return Server(
        "conductor-git",
        version=__version__,
        instructions=_instructions(serving.seat),
        on_list_tools=listed,
        on_call_tool=called,
    )


def _instructions(seat: Seat) -> str:
    if seat.context is None:
        return _COORDINATOR
    if seat.context.review_of is not None:
        return _REVIEWER.format(task=seat.context.task_id, reviewed=seat.context.review_of)
    return _WORKER.format(task=seat.context.task_id)


async def _called(answer: Callable[[Call], types.CallToolResult]) -> types.CallToolResult:
    call = Call()
    try:
        return await anyio.to_thread.run_sync(answer, call, abandon_on_cancel=True)
    finally:
        call.end()


def _answer(serving: _Serving, name: str, given: Mapping[str, Any] | None, call: Call) -> types.CallToolResult:
    """The boundary of a call: every way to end is a document."""
    try:
        return _result(_document(serving, name, given, call))
    except ConductorError as refused:
        return _result({"schema": SCHEMA, "error": refused.document()}, failed=True)
    except Exception as error:  # noqa: BLE001 - the boundary: what is no refusal is told as such, and the server goes on
        return _result({"schema": SCHEMA, "error": serving.told(error)}, failed=True)


def _document(serving: _Serving, name: str, given: Mapping[str, Any] | None, call: Call) -> Mapping[str, Any]:
    tool = serving.tools.get(name)
    if tool is None:
        names = ", ".join(serving.tools)
        raise BadInput(f"there is no tool {name[:_SHOWN]!r} here; there are {names}", hint="conductor-git mcp --help")
    with nullcontext() if tool.looks else serving.calls.one():
        return tool.answer(serving.seat, given, call)


def _result(document: Mapping[str, Any], *, failed: bool = False) -> types.CallToolResult:
    """`document` as text; the escapes of JSON carry a file name that is no text."""
    text = json.dumps(document, ensure_ascii=False, default=str)
    text = text if is_text(text) else json.dumps(document, default=str)
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed)
