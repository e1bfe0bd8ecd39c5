"""A client that never reads keeps no server from ending at its first signal."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conductor_git.project import open_project
from tests import kit
from tests.integration.streamed import post
from tests.integration.test_serve_access_command import Started, started

LARGE = "x" * 100_000


@contextmanager
def deaf(server: Started, path: str, token: str) -> Iterator[socket.socket]:
    """A client that asks for `path` and reads nothing, once the server has more to send than its socket takes."""
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.said["port"]))
        host = server.said["url"].removeprefix("http://")
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        kit.until(lambda: _unread(client))
        yield client


def _unread(client: socket.socket) -> bool:
    """Whether bytes for `client` wait on the server's side (proc(5), /proc/net/tcp: tx_queue)."""
    port = f":{client.getsockname()[1]:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[2].endswith(port) and int(row[4].partition(":")[0], 16) for row in rows)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="what a socket holds is told by Linux")
@pytest.mark.parametrize("path", ["/api/v1/events?since=-", "/api/v1/bus?limit=200"])
def test_one_signal_ends_a_server_whose_client_never_reads(repository: Path, path: str) -> None:
    post(open_project(repository), *[LARGE] * 100)
    token = kit.conductor("serve", "token", "add", "deaf", "--json", cwd=repository).document["secret"]

    with started(repository) as server, deaf(server, path, token):
        code, err = server.end(signal.SIGINT)

    assert code == 130
    assert "Traceback" not in err
