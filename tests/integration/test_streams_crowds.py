"""Streams under load: a thousand clients, and clients that read slowly or never."""

from __future__ import annotations

import asyncio
import resource
import socket
from pathlib import Path

import pytest

from conductor_git.project import Project
from conductor_git.server.access.role import Role
from conductor_git.server.streams import live
from conductor_git.server.streams.ring import KEPT_BYTES
from tests import kit
from tests.integration.streamed import EVENTS, post, stream
from tests.kit.server import Server, serving

CLIENTS = 1000
LARGE = "x" * 100_000


@pytest.fixture
def many_files() -> None:
    """Both ends of a thousand connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * CLIENTS if hard == resource.RLIM_INFINITY else min(4 * CLIENTS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def request(server: Server, path: str = EVENTS) -> bytes:
    token = server.tokens[Role.VIEWER]
    return f"GET {path} HTTP/1.1\r\nHost: {server.url[7:]}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


async def _connected(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(request(server))
    await reader.readuntil(b"event: hello")
    return reader, writer


async def _told_by(server: Server, project: Project) -> list[bytes]:
    clients = [await _connected(server) for _ in range(CLIENTS)]
    assert len(server.app.state.live.streams) == CLIENTS
    await asyncio.to_thread(post, project, "for all")
    told = [await reader.readuntil(b'"body":"for all"') for reader, _ in clients]
    for _, writer in clients:
        writer.close()
    return told


@pytest.mark.usefixtures("many_files")
def test_a_thousand_streams_are_served_at_once_and_leave_nothing_behind(server: Server, project: Project) -> None:
    told = asyncio.run(_told_by(server, project))

    assert len(told) == CLIENTS
    kit.until(lambda: not server.app.state.live.streams)


def test_one_stream_more_than_are_served_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST", 1)
    with stream(server) as first, stream(server) as second:
        first.one()
        assert second.response.status_code == 503
        assert second.response.json()["error"]["code"] == "TOO_MANY_STREAMS"


def test_a_client_that_never_reads_costs_no_more_than_is_kept_for_all_and_is_told_when_it_does(
    server: Server, project: Project
) -> None:
    shared = server.app.state.live
    with stream(server) as reading, stream(server) as slow:
        reading.one(), slow.one()
        posted, read = list[str](), list[str]()
        for _ in range(200):  # what the sockets hold goes through to the slow one; the rest is more than is kept
            posted += post(project, LARGE)
            read.append(reading.one().event_id)
        held = shared.ring.held_bytes
        *got, lagging = slow.rest()
    with stream(server, last=lagging.event_id) as again:
        again.one()
        missed = [event.event_id for event in again.some(200 - len(got))]

    assert read == posted
    assert held <= KEPT_BYTES
    assert (lagging.name, lagging.document["cursor"]) == ("lagging", got[-1].event_id)
    assert len(missed) > KEPT_BYTES // len(LARGE)
    assert [event.event_id for event in got] + missed == posted


def test_a_client_that_never_reads_is_cut_off_when_the_server_ends(repository: Path, project: Project) -> None:
    with serving(repository) as server:
        address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        with socket.create_connection(address) as deaf:
            deaf.sendall(request(server))
            kit.until(lambda: server.app.state.live.streams)
            post(project, *[LARGE] * 200)
            server.serving.ending.set()
            kit.until(lambda: not server.app.state.live.streams)
