"""A real server on a free loopback port, and a token for every role: `with serving(repository) as server`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx
import uvicorn
from fastapi import APIRouter, Depends, FastAPI

from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.server.access import tokens
from conductor_git.server.access.gate import Gate, who
from conductor_git.server.access.role import Role
from conductor_git.server.access.sessions import Sessions
from conductor_git.server.app import create_app
from conductor_git.server.running import Running
from conductor_git.server.serving import Serving
from tests.kit.waiting import until

_TLS: Final = ssl.create_default_context()
"""Nothing here is encrypted, and to read the machine's certificates for each client costs more than most requests."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `tokens` has one token a role, of people named after it (`admin`, `reviewer`, `viewer`)."""

    url: str
    tokens: dict[Role, str]
    serving: Serving
    app: FastAPI
    log: list[str]
    """The lines of its access log."""

    def client(self, role: Role | None = Role.ADMIN, **options: Any) -> httpx.Client:
        """A client that shows the token of `role` (None: none); to be closed, or used in a `with`."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.tokens[role]}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=_TLS, trust_env=False, **options)

    def token(self, name: str, role: Role, task_id: str | None = None) -> str:
        """A new token."""
        task = None if task_id is None else parse_task_id(task_id)
        token, text = tokens.make(name, role, at=utcnow(), task_id=task)
        self.serving.gate.tokens.add(token)
        return text

    def login_link(self, role: Role = Role.ADMIN) -> str:
        """A link that lets a browser in once, with the token of `role`."""
        token_id = self.tokens[role].split("_")[1]
        return f"{self.url}/login?code={self.serving.gate.sessions.code(token_id)}"


class _Prompt(Running):
    """Ends as soon as it is told to, where uvicorn looks for that ten times a second."""

    async def main_loop(self) -> None:
        self._loop, self._told = asyncio.get_running_loop(), asyncio.Event()
        ways = [asyncio.create_task(way) for way in (super().main_loop(), self._told.wait())]
        _, others = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()

    def end(self) -> None:
        self.should_exit = True
        with suppress(AttributeError, RuntimeError):  # it has not begun, or it has ended
            self._loop.call_soon_threadsafe(self._told.set)


@contextmanager
def serving(
    repository: Path, *, worker: str = "own-task", routers: Sequence[APIRouter] = (), **options: Any
) -> Iterator[Server]:
    """Serve `repository` until the block ends; the worker's token is for the task `worker`, which need not be there.

    `routers` are routes of the test, behind the same door and gate as ours. `options` are uvicorn's.
    """
    project = open_project(repository)
    gate = Gate(tokens.Tokens(project.layout), Sessions(utcnow))
    served, log = Serving(project, gate, utcnow), list[str]()
    app = create_app(served, log.append)
    for router in routers:
        app.include_router(router, dependencies=[Depends(who)])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, **options)
        running = _Prompt(config, served.ending, lambda: None)
        thread = Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: running.started or not thread.is_alive())
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            server = Server(url, {}, served, app, log)
            for role in Role:
                is_worker = role is Role.WORKER
                server.tokens[role] = server.token(worker if is_worker else role, role, worker if is_worker else None)
            yield server
        finally:
            served.ending.set()
            running.end()
            thread.join()
