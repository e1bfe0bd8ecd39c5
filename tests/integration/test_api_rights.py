"""Who may do what over HTTP: every route for every role, by the table that the routes hold to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from conductor_git.server.access.role import Role
from conductor_git.server.api import rights
from conductor_git.server.api.rights import PREFIX, RIGHTS
from tests.integration.apis import API, refused, told
from tests.kit import tasks
from tests.kit.server import Server

PLACES = {"task_id": "own-task", "landing_id": "0" * 40, "run_id": "1", "name": "1.log", "msg_id": "MSG-1"}


def described(server: Server) -> set[tuple[str, str]]:
    """The routes of the API by its description."""
    with server.client() as client:
        paths = client.get(f"{API}/openapi.json").json()["paths"]
    return {(verb.upper(), path) for path, verbs in paths.items() for verb in verbs}


def test_every_route_is_in_the_table_and_every_row_is_a_route(server: Server) -> None:
    others = {"/version", "/events", "/tasks/{task_id}/log"}
    found = {
        (verb, path.removeprefix(PREFIX))
        for verb, path in described(server)
        if path.startswith(PREFIX) and path.removeprefix(PREFIX) not in others
    }

    assert found == set(RIGHTS)


@pytest.mark.parametrize("role", Role)
def test_a_role_may_what_the_table_says_and_nothing_else(server: Server, repository: Path, role: Role) -> None:
    tasks.spawn(repository, "own-task")
    with server.client(role) as client:
        for (verb, path), roles in RIGHTS.items():
            # A body that no route takes: whoever may pass is told so, and nothing is changed.
            answered = client.request(verb, API + path.format(**PLACES), json=[] if verb == "POST" else None)
            is_let_in = answered.json().get("error", {}).get("code") != "FORBIDDEN"
            assert (verb, path, is_let_in) == (verb, path, role in roles), answered.text


def test_nobody_is_let_in_without_a_token(server: Server) -> None:
    with server.client(None) as client:
        for verb, path in RIGHTS:
            refused(client.request(verb, API + path.format(**PLACES)), 401, "UNAUTHORIZED")


def test_a_route_that_is_not_in_the_table_is_nobodys(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "RIGHTS", {})

    with server.client() as client:
        refused(client.get(f"{API}/tasks"), 403, "FORBIDDEN")


def test_what_is_refused_says_which_role_may(server: Server) -> None:
    with server.client(Role.REVIEWER) as client:
        error = refused(client.post(f"{API}/tasks", json={"task_id": "a"}), 403, "FORBIDDEN")

    assert (error["role"], error["needs"]) == ("reviewer", ["worker", "admin"])
    assert error["hint"] == "conductor-git serve token add NAME --role admin"


@pytest.fixture
def worker(server: Server, repository: Path) -> Iterator[httpx.Client]:
    for name in ("own-task", "other"):
        tasks.commit(tasks.spawn(repository, name), {f"{name}.py": "NEW = 1\n"})
    with server.client(Role.WORKER) as client:
        yield client


def test_a_worker_acts_for_its_own_task(worker: httpx.Client, repository: Path) -> None:
    told(worker.post(f"{API}/tasks/own-task/heartbeat", json={"note": "at it"}))

    assert told(worker.post(f"{API}/tasks/own-task/done"))["task"]["state"] == "IN_REVIEW"
    assert tasks.told(repository, "PROGRESS", "own-task") == ["at it"]


@pytest.mark.parametrize("verb", ["start", "heartbeat", "done", "fail"])
def test_a_worker_acts_for_no_other_task(worker: httpx.Client, repository: Path, verb: str) -> None:
    before = tasks.record(repository, "other")

    refused(worker.post(f"{API}/tasks/other/{verb}"), 403, "FORBIDDEN")
    assert tasks.record(repository, "other") == before


def test_a_worker_speaks_of_its_own_task(worker: httpx.Client, repository: Path) -> None:
    told(worker.post(f"{API}/bus", json={"body": "which port?", "type": "QUESTION"}), 201)

    refused(worker.post(f"{API}/bus", json={"body": "stop", "task_id": "other"}), 403, "FORBIDDEN")
    assert tasks.told(repository, "QUESTION", "own-task") == ["which port?"]
    assert tasks.told(repository, "FACT", "other") == []


def test_a_review_stands_under_the_name_of_its_token(worker: httpx.Client, server: Server) -> None:
    told(worker.post(f"{API}/tasks/own-task/done"))
    ada = server.token("Ada L.", Role.REVIEWER)

    with server.client(None) as client:
        client.headers["Authorization"] = f"Bearer {ada}"
        answered = client.post(f"{API}/tasks/own-task/reviews", json={"verdict": "approve"})
        assert told(answered, 201)["review"]["reviewer"] == "Ada L."
