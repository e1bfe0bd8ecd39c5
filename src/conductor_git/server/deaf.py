"""Clients that take nothing of what was sent to them, when the server ends: it does not wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Final, Protocol

LOOK_SECONDS: Final = 1.5


class Connection(Protocol):
    """One of uvicorn's."""

    @property
    def transport(self) -> asyncio.Transport: ...


async def cut_off(connections: Collection[Connection], look_seconds: float = LOOK_SECONDS) -> None:
    """Drop every one of `connections` that took nothing from one look to the next, until this is cancelled.

    What was answered and not taken is lost to its client. A change that is under way has sent nothing yet, and is
    not disturbed.
    """
    before: dict[Connection, int] = {}
    while True:
        await asyncio.sleep(look_seconds)
        waiting = {connection: connection.transport.get_write_buffer_size() for connection in list(connections)}
        for connection, size in waiting.items():
            if size and size >= before.get(connection, size + 1):
                connection.transport.abort()
        before = waiting
