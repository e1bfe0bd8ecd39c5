"""The MCP SDK's own client, over standard input and output, with a server of ours as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp import ClientSession, StdioServerParameters, stdio_client

from tests import kit


class Refused(Exception):
    """A tool's answer was an error; `error` is its document."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["code"], error["message"])
        self.error = error


class Speaking:
    """A session; `say(tool, …)` calls a tool and returns its document, or raises `Refused`."""

    def __init__(self, session: ClientSession, about: types.InitializeResult) -> None:
        self.session, self.about = session, about

    async def tools(self) -> list[types.Tool]:
        return list((await self.session.list_tools()).tools)

    async def say(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.session.call_tool(tool, arguments)
        (content,) = result.content
        assert isinstance(content, types.TextContent)
        document: dict[str, Any] = json.loads(content.text)
        assert document["schema"] == 1
        assert ("error" in document) is bool(result.is_error)
        if result.is_error:
            raise Refused(document["error"])
        return document


@asynccontextmanager
async def speaking(place: Path, variables: Mapping[str, str] | None = None) -> AsyncIterator[Speaking]:
    """`conductor-git mcp` in `place`, and a client that has said hello."""
    server = StdioServerParameters(
        command=str(kit.console_script()), args=["mcp"], cwd=place, env=os.environ | dict(variables or {})
    )
    with (place.parent / f"{place.name}.mcp.log").open("w") as log:
        async with stdio_client(server, errlog=log) as streams, ClientSession(*streams) as session:
            yield Speaking(session, await session.initialize())


def together(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())
