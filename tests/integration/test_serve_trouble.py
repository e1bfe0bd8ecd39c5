"""What a server says when the ground goes: a repository that is removed, a disk that is full or read-only, a client
that never sends what it announced."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from conductor_git.processtable import is_alive
from conductor_git.server.access import body as bodies
from conductor_git.server.access.role import Who
from conductor_git.server.access.tokens import Tokens
from conductor_git.server.api.rights import RIGHTS
from tests import kit
from tests.integration import disks
from tests.integration.apis import API, refused, told
from tests.integration.streamed import stream
from tests.integration.traces import traces
from tests.kit import tasks
from tests.kit.server import Server, serving

PLACES: Final = {"task_id": "prices", "landing_id": "0" * 40, "run_id": "1", "name": "1.log", "msg_id": "MSG-1"}
LONG: Final = "more than the last page of the bus has room for " * 100
CHANGES: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("/tasks", {"task_id": "other"}),
    ("/tasks/fresh/start", {}),
    ("/tasks/prices/done", {}),
    ("/tasks/prices/fail", {}),
    ("/tasks/prices/cancel", {}),
    ("/tasks/prices/priority", {"priority": 3}),
    ("/tasks/reviewed/approve", {}),
    ("/tasks/reviewed/request-changes", {"message": "no"}),
    ("/tasks/reviewed/reviews", {"verdict": "approve"}),
    ("/tasks/approved/merge", {}),
    ("/tasks/failed/retry", {}),
    ("/bus", {"body": LONG}),
)


def test_every_route_says_that_the_repository_was_removed_and_makes_nothing_of_it(
    server: Server, repository: Path
) -> None:
    tasks.spawn(repository, "prices")
    with server.client() as client:
        told(client.get(f"{API}/tasks"))
        shutil.rmtree(repository)
        for verb, path in RIGHTS:
            body = {"task_id": "x", "body": "x", "verdict": "approve"} if verb == "POST" else None
            key = {"Idempotency-Key": "k"} if verb == "POST" else {}
            refused(client.request(verb, API + path.format(**PLACES), headers=key, json=body), 503, "REPOSITORY_GONE")
        for page in ("/", "/tasks/prices", "/tasks/prices/review", "/queue", "/bus", "/collisions", "/new"):
            assert client.get(page, headers={"Accept": "text/html"}).status_code == 503, page
        assert client.get("/metrics").status_code == 503

    assert not repository.exists()


def test_an_open_stream_of_the_bus_ends_with_the_reason_when_the_repository_is_removed(
    server: Server, repository: Path
) -> None:
    with stream(server) as reading:
        assert reading.one().name == "hello"
        shutil.rmtree(repository)
        (last,) = reading.rest()

    assert (last.name, last.document["error"]["code"]) == ("failure", "REPOSITORY_GONE")
    assert not repository.exists()


def test_an_open_stream_of_a_log_ends_with_the_reason_when_the_repository_is_removed(
    server: Server, repository: Path, tmp_path: Path
) -> None:
    until_told = f"echo here; until [ -e {tmp_path}/end ]; do sleep 0.05; done"
    assert kit.conductor("spawn", "prices", "--", "sh", "-c", until_told, cwd=repository).code == 0
    supervision = tasks.record(repository, "prices").supervision
    assert supervision is not None
    with stream(server, f"{API}/tasks/prices/log") as reading:
        while reading.one().name != "log":
            pass
        repository.rename(tmp_path / "gone")  # at once: where it goes file by file, its agent may be seen to end first
        *_, last = reading.rest()
    (tmp_path / "end").touch()
    kit.until(lambda: not is_alive(supervision.process))

    assert (last.name, last.document.get("error", {}).get("code")) == ("failure", "REPOSITORY_GONE")


def test_a_stream_whose_token_is_looked_up_while_the_repository_goes_ends_with_that_reason(
    server: Server, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, going = Tokens.who, Event()

    def too_late(tokens: Tokens, text: str) -> Who | None:
        if going.is_set():
            going.clear()
            repository.rename(tmp_path / "gone")
        return look_up(tokens, text)

    monkeypatch.setattr(Tokens, "who", too_late)
    with stream(server) as reading:
        assert reading.one().name == "hello"
        kept = server.serving.gate.tokens.path
        copy = Path(shutil.copy2(kept, tmp_path))
        going.set()
        copy.replace(kept)  # the tokens are written anew, so the server asks again whom it lets in
        (last,) = reading.rest()

    assert (last.name, last.document.get("error", {}).get("code")) == ("failure", "REPOSITORY_GONE")


def test_a_stream_whose_tokens_alone_are_gone_ends_as_revoked(server: Server) -> None:
    with stream(server) as reading:
        reading.one()
        server.serving.gate.tokens.path.unlink()
        assert [(event.name, event.document["reason"]) for event in reading.rest()] == [("end", "revoked")]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """A repository on a disk of its own, with a task for each of CHANGES."""
    with disks.small(tmp_path) as disk:
        repository = kit.make_repository(disk / "acme")
        tasks.commit(tasks.spawn(repository, "prices"), {"src/new.py": "NEW = 1\n"})
        assert kit.conductor("spawn", "fresh", cwd=repository).code == 0
        tasks.commit(tasks.spawn(repository, "reviewed"), {"src/reviewed.py": "1\n"})
        tasks.hand_in(repository, "reviewed")
        tasks.approved(repository, "approved", {"src/approved.py": "1\n"})
        tasks.spawn(repository, "failed")
        assert kit.conductor("fail", "failed", cwd=repository).code == 0
        yield repository


@disks.as_root
@pytest.mark.parametrize("how", [disks.fill, disks.make_read_only])
def test_a_disk_that_takes_nothing_is_told_and_nothing_is_changed(busy: Path, how: Callable[[Path], object]) -> None:
    with serving(busy) as server, server.client() as client:
        how(busy.parent)
        before = traces(busy)
        for path, body in CHANGES:
            for headers in ({}, {"Idempotency-Key": path.replace("/", "-")}):
                answered = client.post(API + path, json=body, headers=headers)

                error = answered.json()["error"]
                assert (path, answered.status_code) == (path, 503), error
                assert error["code"] == "STATE_UNWRITABLE", path
                assert error["hint"], path
                assert traces(busy) == before, path
        assert len(told(client.get(f"{API}/tasks"))["tasks"]) == 4
        assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
        disks.make_writable(busy.parent)
        (busy.parent / "filler").unlink(missing_ok=True)

        told(client.post(f"{API}/tasks/prices/done"))
        told(client.post(f"{API}/tasks/approved/merge", json={}))
    assert not any("bug" in line for line in server.log)


def test_a_body_that_does_not_come_is_not_waited_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SECONDS", 0.05)
    head = b"POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
        connection.sendall(head + b"\r\n{")
        with HTTPResponse(connection) as answer:
            answer.begin()
            text = answer.read()

    assert (answer.status, answer.getheader("connection")) == (422, "close")
    assert b"did not come within" in text
