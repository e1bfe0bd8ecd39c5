"""What went wrong with other servers of this kind, as rows 28 to 30 have it, at the routes that there are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

import pytest

from conductor_git.server.access.gate import SAFE
from conductor_git.server.access.role import Role
from tests import kit
from tests.integration import served
from tests.integration.served import error_of, logged_in
from tests.kit import tasks
from tests.kit.server import Server, serving

SPAWN: Final = "/api/v1/tasks"
TRAVERSING: Final = (
    "..",
    "%2e%2e",
    "..%2f..%2f..%2fHEAD",
    "..%5c..%5cHEAD",
    "%2fetc%2fpasswd",
    "own-task%2f..%2fother",
    "own-task%00",
    "%252e%252e%252fHEAD",
    "own-task.lock",
    "OWN-TASK",
    "%ff",
    "-x",
    "a" * 300,
)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a task, for requests that change nothing."""
    repository = kit.make_repository(tmp_path_factory.mktemp("standing") / "acme")
    tasks.spawn(repository, "own-task")
    with serving(repository) as running:
        yield running


def order(started: Path) -> dict[str, object]:
    """What spawns a task whose agent tells that it was started."""
    return {"task_id": "planted", "prompt": "x", "command": ["touch", str(started)]}


def no_task(repository: Path, started: Path) -> bool:
    listed = kit.conductor("status", "--all", "--json", cwd=repository).document["tasks"]
    return listed == [] and not started.exists()


def test_row_28_a_page_on_another_site_starts_no_agent(server: Server, repository: Path, tmp_path: Path) -> None:
    """With everything that a browser can be made to send, from the page of another site, by a person logged in here."""
    wanted, port = order(tmp_path / "started"), server.url.rpartition(":")[2]
    site = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    rebound = {"Origin": f"http://evil.example:{port}", "Host": f"evil.example:{port}", "Sec-Fetch-Site": "same-origin"}
    text = json.dumps(wanted)
    with logged_in(server) as browser:
        attempts = [
            browser.post(SPAWN, json=wanted, headers=site),
            browser.post(SPAWN, content=text, headers={**site, "Content-Type": "text/plain"}),
            browser.post(SPAWN, content=text, headers={"Content-Type": "text/plain"}),
            browser.post(SPAWN, json=wanted),
            browser.post(SPAWN, json=wanted, headers=rebound),
            browser.post("/new", data={"task_id": "planted", "prompt": "x"}, headers=site),
            browser.get(SPAWN, params={"task_id": "planted"}),
        ]

    assert [answer.status_code for answer in attempts] == [403, 403, 415, 403, 421, 403, 422]
    assert no_task(repository, tmp_path / "started")


def test_row_28_nobody_starts_an_agent_without_a_token_of_the_role_for_it(
    server: Server, repository: Path, tmp_path: Path
) -> None:
    wanted = order(tmp_path / "started")
    with server.client(None) as nobody:
        error_of(nobody.post(SPAWN, json=wanted), 401, "UNAUTHORIZED")
    for role in (Role.VIEWER, Role.REVIEWER):
        with server.client(role) as client:
            error_of(client.post(SPAWN, json=wanted), 403, "FORBIDDEN")
    with server.client(Role.WORKER) as worker:  # of a task that is not there
        error_of(worker.post(SPAWN, json=wanted), 404, "NOT_FOUND")
    assert no_task(repository, tmp_path / "started")

    with server.client(Role.ADMIN) as admin:
        assert admin.post(SPAWN, json=wanted).status_code == 201
    kit.until((tmp_path / "started").exists)


def test_row_29_a_corrupt_record_is_one_row_and_no_error_of_the_list(server: Server, repository: Path) -> None:
    for name in ("good", "bad"):
        tasks.spawn(repository, name)
    (repository / ".git" / "conductor" / "tasks" / "bad" / "run-info.yaml").write_text("{ not: [yaml")

    with server.client() as client:
        listed = client.get(SPAWN)
        shown = client.get(f"{SPAWN}/bad")
        board = client.get("/", headers={"Accept": "text/html"})

    rows = {row["task_id"]: row for row in listed.json()["tasks"]}
    assert listed.status_code == board.status_code == 200
    assert set(rows) == {"good", "bad"}
    assert "error" in rows["bad"]
    error_of(shown, 409, "BAD_RECORD")


def places() -> list[tuple[str, str]]:
    """Every route with a place in its path that a client fills in, with its methods."""
    return [
        (method, path)
        for path, methods in served.routes()
        if "{" in path and path.startswith("/api/")
        for method in methods
    ]


@pytest.mark.parametrize("text", TRAVERSING)
def test_row_30_no_id_leads_out_of_where_it_belongs(standing: Server, text: str) -> None:
    """At every route of the API, as it is and encoded, in each place of the path."""
    before = records(standing)
    for method, path in places():
        for name in names_in(path):
            parts = dict.fromkeys(names_in(path), "own-task") | {name: text}
            status, told = ask(standing, method, path.format(**parts))
            assert status in (404, 405, 422), f"{method} {path} {name}={text}: {told}"
            assert json.loads(told)["error"]["code"]
            assert "root:" not in told
            assert "ref: refs/heads" not in told

    assert records(standing) == before


def test_row_30_a_request_cannot_set_what_an_agents_environment_reserves(
    server: Server, repository: Path, tmp_path: Path
) -> None:
    """There is no field for the environment, and one that is made up is refused."""
    with server.client() as client:
        for field in ("env", "environment", "variables"):
            wanted = {**order(tmp_path / "started"), field: {"CONDUCTOR_TASK_ID": "other", "PATH": "/evil"}}
            error_of(client.post(SPAWN, json=wanted), 422, "BAD_INPUT")

    assert no_task(repository, tmp_path / "started")


def ask(server: Server, method: str, path: str) -> tuple[int, str]:
    """Status and text of the answer to exactly this path: most clients resolve the dots in it by themselves."""
    with closing(HTTPConnection(server.url.removeprefix("http://"), timeout=60)) as connection:
        connection.putrequest(method, path)
        connection.putheader("Authorization", f"Bearer {server.tokens[Role.ADMIN]}")
        body = b"" if method in SAFE else b"{}"
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def names_in(path: str) -> list[str]:
    return [part.partition("}")[0].partition(":")[0] for part in path.split("{")[1:]]


def records(server: Server) -> dict[str, bytes]:
    folder = server.serving.project.layout.tasks
    return {os.fsdecode(path): path.read_bytes() for path in sorted(folder.rglob("*.yaml"))}
