"""The audit: every change over HTTP is on the bus with who did it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from conductor_git.message import Message
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.runner.stop import is_supervised
from conductor_git.server.access.issuing import issue
from conductor_git.server.access.role import Role
from conductor_git.server.api.rights import RIGHTS
from conductor_git.workflow.looking.news import news
from tests import kit
from tests.integration.apis import API, refused, told
from tests.integration.served import from_own_page
from tests.kit import tasks
from tests.kit.server import Server

GRACE: Final = "Grace H."
Prepare = Callable[[Path], object]


@pytest.fixture(autouse=True)
def _one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is resumed here ends at once, and nothing is to be learned from the pauses after it."""
    monkeypatch.setenv("CONDUCTOR_LIMITS_ATTEMPTS", "1")


@pytest.fixture
def grace(server: Server) -> Iterator[httpx.Client]:
    """An admin with a name that nothing else goes by."""
    with server.client(None) as client:
        client.headers["Authorization"] = f"Bearer {server.token(GRACE, Role.ADMIN)}"
        yield client


def working(repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), {"new.py": "NEW = 1\n"})


def in_review(repository: Path) -> None:
    working(repository)
    tasks.hand_in(repository, "prices")


def approved(repository: Path) -> None:
    tasks.approved(repository, "prices", {"new.py": "NEW = 1\n"})


def landed(repository: Path) -> None:
    approved(repository)
    tasks.landed(tasks.merge(repository, "prices"))


def failed(repository: Path) -> None:
    working(repository)
    assert kit.conductor("fail", "prices", cwd=repository).code == 0


def assigned(repository: Path) -> None:
    command = ("spawn", "prices", "--no-start", "--", "true")
    assert kit.conductor(*command, cwd=repository).code == 0


def nothing(repository: Path) -> None:
    del repository


APPROVE: Final = {"verdict": "approve"}
CHANGES: Final[Mapping[str, tuple[Prepare, Mapping[str, Any]]]] = {
    "/tasks": (nothing, {"task_id": "prices"}),
    "/tasks/{task_id}/start": (assigned, {}),
    "/tasks/{task_id}/heartbeat": (working, {}),
    "/tasks/{task_id}/done": (working, {}),
    "/tasks/{task_id}/fail": (working, {}),
    "/tasks/{task_id}/cancel": (working, {}),
    "/tasks/{task_id}/retry": (failed, {}),
    "/tasks/{task_id}/stop": (working, {}),
    "/tasks/{task_id}/resume": (assigned, {}),
    "/tasks/{task_id}/approve": (in_review, {}),
    "/tasks/{task_id}/request-changes": (in_review, {}),
    "/tasks/{task_id}/merge": (approved, {}),
    "/tasks/{task_id}/undo": (landed, {}),
    "/tasks/{task_id}/priority": (working, {"priority": 3}),
    "/tasks/{task_id}/reviews": (in_review, APPROVE),
    "/queue/process": (approved, {}),
    "/bus": (nothing, {"body": "the port is 8080"}),
    "/agents/check": (nothing, {}),
}


def test_every_route_that_changes_something_is_here() -> None:
    assert {path for verb, path in RIGHTS if verb != "GET"} == set(CHANGES)


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_is_on_the_bus_with_who_made_it(grace: httpx.Client, repository: Path, path: str) -> None:
    prepare, body = CHANGES[path]
    prepare(repository)
    before = posted(repository)

    answered = grace.post(API + path.format(task_id="prices"), json=body)

    assert answered.status_code in (200, 201), answered.text
    new = posted(repository)[len(before) :]
    assert GRACE in {name for message in new for name in (message.meta.get("by"), message.meta.get("reviewer"))}, new
    kit.until(lambda: not is_supervised(open_project(repository), parse_task_id("prices")))


def posted(repository: Path) -> list[Message]:
    return open_project(repository).bus.tail(1000)


def audited(repository: Path) -> list[tuple[str | None, str]]:
    """Of each message of the audit its task, and what was done."""
    found = [message for message in posted(repository) if message.meta.get("event") == "http"]
    assert {message.type for message in found} <= {"INFO"}
    return [(message.task_id, message.meta["did"]) for message in found]


@pytest.mark.parametrize("path", [path for path in CHANGES if path not in ("/agents/check", "/bus", "/tasks")])
def test_what_is_refused_leaves_no_word(grace: httpx.Client, repository: Path, path: str) -> None:
    working(repository)
    before = posted(repository)

    answered = grace.post(API + path.format(task_id="prices"), json={"unknown": 1}, headers={"If-Match": '"99"'})

    assert answered.status_code in (412, 422), answered.text
    assert posted(repository) == before


def test_what_names_somebody_by_itself_is_said_once(grace: httpx.Client, repository: Path) -> None:
    told(grace.post(f"{API}/tasks", json={"task_id": "prices"}), 201)
    told(grace.post(f"{API}/tasks/prices/start"))
    told(grace.post(f"{API}/tasks/prices/priority", json={"priority": 3}))

    assert audited(repository) == [("prices", "priority 3")]


def test_an_agreement_to_commands_is_said_also_where_nothing_lands(grace: httpx.Client, repository: Path) -> None:
    working(repository)

    for trust in (False, True):
        refused(grace.post(f"{API}/tasks/prices/merge", json={"trust": trust}), 409, "ILLEGAL_TRANSITION")

    assert audited(repository) == [(None, "agree to the commands of the target's config, for merge prices")]


def test_a_workers_own_beat_is_no_news(server: Server, repository: Path) -> None:
    working(repository)
    _, token = issue(open_project(repository), None, Role.WORKER, task="prices", by="ada", at=utcnow())
    before = posted(repository)

    with server.client(None) as worker:
        worker.headers["Authorization"] = f"Bearer {token}"
        told(worker.post(f"{API}/tasks/prices/heartbeat"))
        told(worker.post(f"{API}/tasks/prices/heartbeat", json={"note": "at it"}))

    assert [(message.type, message.body) for message in posted(repository)[len(before) :]] == [("PROGRESS", "at it")]


@pytest.mark.parametrize(("place", "did"), [("priority", "priority 3"), ("resume", "resume")])
def test_a_button_of_a_page_is_audited_too(server: Server, repository: Path, place: str, did: str) -> None:
    assigned(repository)
    with server.client() as browser:
        answered = browser.post(f"/tasks/prices/{place}", data={"priority": "3"}, headers=from_own_page(server))

    assert answered.status_code == 303, answered.text
    assert audited(repository) == [("prices", did)]
    kit.until(lambda: not is_supervised(open_project(repository), parse_task_id("prices")))


def test_the_audit_is_no_word_to_a_worker(grace: httpx.Client, repository: Path) -> None:
    working(repository)
    told(grace.post(f"{API}/tasks/prices/priority", json={"priority": 3}))
    told(grace.post(f"{API}/agents/check"))
    issue(open_project(repository), "ada", Role.VIEWER, by=GRACE, at=utcnow())
    told(grace.post(f"{API}/bus", json={"body": "the port is 8080", "type": "INFO"}), 201)

    heard = news(open_project(repository).bus, posted(repository), parse_task_id("prices"), ())

    assert [message.body for message in heard] == ["the port is 8080"]
