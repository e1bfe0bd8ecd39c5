"""A server from its socket to its end: who it is, what it listens on, and how it ends."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Final

import uvicorn

from conductor_git.errors import BadInput
from conductor_git.process import identify, is_alive
from conductor_git.project import Project
from conductor_git.server.access import hosts, tokens
from conductor_git.server.access.gate import Gate
from conductor_git.server.access.role import Role
from conductor_git.server.access.sessions import Sessions
from conductor_git.server.access.tokens import Token, Tokens
from conductor_git.server.app import create_app
from conductor_git.server.deaf import cut_off
from conductor_git.server.ending import Ending
from conductor_git.server.lander import Lander
from conductor_git.server.refusals import NoToken, PortTaken
from conductor_git.server.serving import Serving

_BACKLOG: Final = 2048
_FILES: Final = 8192
"""So many files and connections at once, where the system lets us: many allow a process 1,024 as it starts."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that listens, and answers once it is `run`. `link` lets one browser in, once."""

    url: str
    link: str
    listening: socket.socket
    serving: Serving


@contextmanager
def opened(project: Project, host: str, port: int, *, name: str, clock: Callable[[], datetime]) -> Iterator[Opened]:
    """Listen on `host` and `port`, and make the token that the login link is for, which ends with this block.

    `NoToken` for a host that other machines reach as long as nobody has made a token; `PortTaken`; `BadInput` for a
    host that is none of this machine.
    """
    kept = Tokens(project.layout)
    if not hosts.is_loopback(host) and all(token.server for token in kept.all()):
        raise NoToken(
            f"{host} can be reached from other machines, and no token was made yet",
            hint="conductor-git serve token add NAME --role reviewer",
            host=host,
        )
    with _listen(host, port) as listening:
        kept.keep(_is_in_use)
        token, _ = tokens.make(name, Role.ADMIN, at=clock(), server=identify(os.getpid()))
        kept.add(token)
        try:
            gate = Gate(kept, Sessions(clock), hosts.bound_to(host, socket.gethostname()))
            url = _url(host, listening.getsockname()[1])
            link = f"{url}/login?code={gate.sessions.code(token.who.token_id)}"
            yield Opened(url, link, listening, Serving(project, gate, clock))
        finally:
            if project.layout.common_dir.is_dir():
                kept.keep(lambda other: other.who.token_id != token.who.token_id)


def run(place: Opened, log: Callable[[str], None], ends: Callable[[], None]) -> None:
    """Answer until a signal comes; `ends` is called then, before what is being answered is waited for.

    What is approved lands by itself meanwhile, where the config says so. The first signal lets changes under way (a
    landing and its gates) finish and ends the streams. A second one ends
    the process at once, as a kill does: the next command mends what that leaves.
    """
    _allow_connections()
    config = uvicorn.Config(
        create_app(place.serving, log),
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        backlog=_BACKLOG,
    )
    serving = place.serving
    lander = Lander(serving.project, serving.clock, log)
    serving.ending.on(lander.stop)
    with lander.working():
        Running(config, serving.ending, ends).run(sockets=[place.listening])


class Running(uvicorn.Server):
    """uvicorn, which tells streams when it ends, waits for no client that takes nothing, and for no one once it is
    told twice."""

    def __init__(self, config: uvicorn.Config, ending: Ending, ends: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending, self._ends = ending, ends

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + signal.Signals(sig))
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ends()
        self._ending.set()
        cutting = asyncio.create_task(cut_off(self.server_state.connections))
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()


def _allow_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _is_in_use(token: Token) -> bool:
    """Whether it is no token of a server that was killed."""
    return token.server is None or is_alive(token.server)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        # Connections inherit it. The head and the body of an answer are sent one after the other, and without this the
        # second waits until the client has said that it got the first: 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except (socket.gaierror, UnicodeError, OverflowError) as error:
        raise BadInput(f"{host} is no address of this machine", hint="conductor-git serve", host=host) from error
    except OSError as error:
        raise PortTaken(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            hint=f"conductor-git serve --port {port + 1 if port < 65535 else 8484}",
            host=host,
            port=port,
        ) from error


def _url(host: str, port: int) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is shown here
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
