"""`Idempotency-Key`: a request that comes twice is done once, also where it comes ten times at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Response

from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.server.access.gate import Gate
from conductor_git.server.access.role import Role, Who
from conductor_git.server.access.sessions import Sessions
from conductor_git.server.access.tokens import Tokens
from conductor_git.server.api.answer import answer
from conductor_git.server.api.asking import Changing
from conductor_git.server.api.bodies import Post
from conductor_git.server.api.once import KEPT, once
from conductor_git.server.serving import Serving
from conductor_git.store.reviews import FileReviews
from tests.integration.apis import API, refused, told
from tests.kit import tasks
from tests.kit.server import Server

KEY = {"Idempotency-Key": "one-and-the-same"}


def notes(repository: Path) -> list[str]:
    return [message.body for message in open_project(repository).bus.tail(100, types=("FACT",))]


def test_ten_requests_at_once_with_one_key_make_one_task(server: Server, repository: Path) -> None:
    def make(_: int) -> httpx.Response:
        with server.client() as client:
            return client.post(f"{API}/tasks", json={"task_id": "prices"}, headers=KEY)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(make, range(10)))

    assert {response.status_code for response in answers} == {201}
    assert len({response.content for response in answers}) == 1
    assert {response.headers["etag"] for response in answers} == {'"1"'}
    assert [response.headers.get("idempotency-replayed") for response in answers].count("true") == 9
    assert tasks.told(repository, "STATE", "prices") != []
    assert len(tasks.told(repository, "STATE", "prices")) == 1


def test_a_message_that_is_posted_twice_is_on_the_bus_once(admin: httpx.Client, repository: Path) -> None:
    first, second = (told(admin.post(f"{API}/bus", json={"body": "red"}, headers=KEY), 201) for _ in range(2))

    assert first == second
    assert notes(repository) == ["red"]


def test_a_review_that_is_given_twice_is_on_record_once(admin: httpx.Client, repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices", reviews_required=2)
    tasks.commit(worktree, {"new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    body = {"verdict": "approve", "message": "good"}

    answers = [told(admin.post(f"{API}/tasks/prices/reviews", json=body, headers=KEY), 201) for _ in range(2)]

    assert answers[0] == answers[1]
    project = open_project(repository)
    assert len(FileReviews(project.layout).all(tasks.record(repository, "prices").task_id)) == 1


def test_the_same_key_for_another_request_is_refused(admin: httpx.Client, repository: Path) -> None:
    told(admin.post(f"{API}/bus", json={"body": "red"}, headers=KEY), 201)

    refused(admin.post(f"{API}/bus", json={"body": "blue"}, headers=KEY), 409, "IDEMPOTENCY_CONFLICT")
    refused(admin.post(f"{API}/tasks", json={"task_id": "prices"}, headers=KEY), 409, "IDEMPOTENCY_CONFLICT")
    assert notes(repository) == ["red"]


def test_a_key_is_its_tokens_own(server: Server, repository: Path) -> None:
    for role in (Role.ADMIN, Role.REVIEWER):
        with server.client(role) as client:
            told(client.post(f"{API}/bus", json={"body": str(role)}, headers=KEY), 201)

    assert notes(repository) == ["admin", "reviewer"]


def test_what_was_refused_can_be_tried_again_with_its_key(admin: httpx.Client) -> None:
    body = {"task_id": "prices", "needs": ["other"]}
    refused(admin.post(f"{API}/tasks", json=body, headers=KEY), 404, "NOT_FOUND")
    told(admin.post(f"{API}/tasks", json={"task_id": "other"}), 201)

    assert told(admin.post(f"{API}/tasks", json=body, headers=KEY), 201)["task"]["needs"] == ["other"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 201], ids=ascii)
def test_what_is_no_key_is_refused(admin: httpx.Client, repository: Path, key: str) -> None:
    refused(admin.post(f"{API}/bus", json={"body": "red"}, headers={"Idempotency-Key": key}), 422, "BAD_INPUT")
    assert notes(repository) == []


class Clock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.at: datetime = utcnow()

    def __call__(self) -> datetime:
        return self.at


def test_a_key_is_forgotten_after_a_day(repository: Path) -> None:
    project, clock = open_project(repository), Clock()
    gate = Gate(Tokens(project.layout), Sessions(clock))
    asking = Changing(Serving(project, gate, clock), Who("admin", Role.ADMIN, "1"))
    done: list[int] = []

    def ask() -> Any:
        def make() -> Any:
            done.append(1)
            return answer(number=len(done))

        response: Response = once(asking, "key", "POST /bus", Post(body="x"), make)
        return response.body

    first = ask()
    clock.at += KEPT - timedelta(seconds=1)
    assert ask() == first
    clock.at += timedelta(seconds=1)
    assert ask() != first
    assert len(list(project.layout.answered.iterdir())) == 1
