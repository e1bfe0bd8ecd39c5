"""Tasks over HTTP: lists with filters and pages, making one, and what makes no sense, refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from tests.integration.apis import API, refused, told
from tests.kit import tasks


def make(client: httpx.Client, task_id: str, **order: Any) -> dict[str, Any]:
    task: dict[str, Any] = told(client.post(f"{API}/tasks", json={"task_id": task_id, **order}), 201)["task"]
    return task


def listed(client: httpx.Client, query: str = "") -> list[str]:
    return [row["task_id"] for row in told(client.get(f"{API}/tasks{query}"))["tasks"]]


def test_a_task_is_made_and_read_back_with_its_revision_as_tag(admin: httpx.Client, repository: Path) -> None:
    answered = admin.post(f"{API}/tasks", json={"task_id": "prices", "prompt": "Raise them", "priority": 3})

    task = told(answered, 201)["task"]
    assert (task["state"], task["priority"], task["title"]) == ("ASSIGNED", 3, "Raise them")
    assert answered.headers["location"] == f"{API}/tasks/prices"
    assert answered.headers["etag"] == f'"{tasks.record(repository, "prices").revision}"'
    assert told(admin.get(answered.headers["location"]))["task"]["revision"] == task["revision"]
    assert admin.get(answered.headers["location"]).headers["etag"] == answered.headers["etag"]


def test_pages_hold_every_task_once_also_while_others_come_and_go(admin: httpx.Client) -> None:
    for name in ("b", "d", "f", "h"):
        make(admin, name)

    first = told(admin.get(f"{API}/tasks?limit=2"))
    make(admin, "a")  # before what was told
    make(admin, "e")
    second = told(admin.get(f"{API}/tasks", params={"limit": 2, "cursor": first["next"]}))
    third = told(admin.get(f"{API}/tasks", params={"limit": 2, "cursor": second["next"]}))

    assert [[row["task_id"] for row in page["tasks"]] for page in (first, second, third)] == [
        ["b", "d"],
        ["e", "f"],
        ["h"],
    ]
    assert (first["total"], third["total"], third["next"]) == (4, 6, None)


def test_the_last_page_says_that_it_is_the_last_one(admin: httpx.Client) -> None:
    make(admin, "a")
    make(admin, "b")

    assert told(admin.get(f"{API}/tasks?limit=2"))["next"] is None
    assert told(admin.get(f"{API}/tasks?cursor=b")) == {"tasks": [], "next": None, "total": 2}


def test_filters_leave_out_what_was_not_asked_for(admin: httpx.Client) -> None:
    make(admin, "fix-login", title="Fix the Login", command=["true"], start=False)
    make(admin, "new-shop", command=["sh"], start=False)
    make(admin, "old-shop")
    told(admin.post(f"{API}/tasks/old-shop/cancel"))
    told(admin.post(f"{API}/tasks/new-shop/start"))

    assert listed(admin) == ["fix-login", "new-shop"]
    assert listed(admin, "?all=true") == ["fix-login", "new-shop", "old-shop"]
    assert listed(admin, "?state=CANCELLED&state=WORKING") == ["new-shop", "old-shop"]
    assert listed(admin, "?agent=sh&all=true") == ["new-shop"]
    assert listed(admin, "?text=SHOP&all=true") == ["new-shop", "old-shop"]
    assert listed(admin, "?text=the+login") == ["fix-login"]
    assert listed(admin, "?plan=none") == []
    assert listed(admin, "?parent=new-shop") == []


def test_a_corrupt_record_is_a_row_that_says_so_and_the_others_are_told(admin: httpx.Client, repository: Path) -> None:
    for name in ("a", "b", "c"):
        make(admin, name)
    open_project(repository).layout.run_info(parse_task_id("b")).write_text("state: [\n")

    rows = told(admin.get(f"{API}/tasks"))["tasks"]

    assert [row["task_id"] for row in rows] == ["a", "b", "c"]
    assert rows[1]["error"]["code"] == "BAD_RECORD"
    assert listed(admin, "?limit=1&cursor=a") == ["b"]
    refused(admin.get(f"{API}/tasks/b"), 409, "BAD_RECORD")


@pytest.mark.parametrize(
    "task_id",
    ["A", "a..b", "a.lock", "-a", "%2e%2e", "%2e%2e%2e", "a%00b", "a%5cb", "x" * 65, "%ff", "a%0ab", "%3cscript%3e"],
    ids=ascii,
)
def test_an_id_that_is_none_is_refused_at_the_door(admin: httpx.Client, task_id: str) -> None:
    for what in ("", "/diff", "/reviews", "/attempts", "/attempts/1/files/prompt.md"):
        refused(admin.get(f"{API}/tasks/{task_id}{what}"), 422, "BAD_TASK_ID")
    for verb in ("start", "cancel", "approve"):
        refused(admin.post(f"{API}/tasks/{task_id}/{verb}"), 422, "BAD_TASK_ID")


@pytest.mark.parametrize("path", ["%2e%2e%2fx", "a%2fb", "..%2f..%2f.git%2fconfig", "a/b/c"])
def test_an_encoded_slash_leads_nowhere(admin: httpx.Client, path: str) -> None:
    refused(admin.get(f"{API}/tasks/{path}"), 404, "NOT_FOUND")


def test_a_task_that_is_not_there_is_not_found(admin: httpx.Client) -> None:
    for path in ("", "/diff", "/reviews", "/attempts", "/attempts/1"):
        error = refused(admin.get(f"{API}/tasks/nothing{path}"), 404, "NOT_FOUND")
        assert error["task_id"] == "nothing"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"task_id": 3},
        {"task_id": "a", "unknown": 1},
        {"task_id": "a", "title": "two\nlines"},
        {"task_id": "a", "base": "x\0y"},
        {"task_id": "a", "prompt": "x\0y"},
        {"task_id": "a", "needs": "b"},
        {"task_id": "a", "reviews_required": 0},
        {"task_id": "a", "priority": 10**30},
        {"task_id": "a", "command": ["\0"]},
        {"task_id": "a", "title": "\ud800"},
        [],
        "a",
        None,
    ],
    ids=ascii,
)
def test_a_body_of_the_wrong_shape_makes_nothing(admin: httpx.Client, repository: Path, body: object) -> None:
    kind = {"Content-Type": "application/json"}

    refused(admin.post(f"{API}/tasks", content=json.dumps(body), headers=kind), 422, "BAD_INPUT")
    assert open_project(repository).runs.task_ids() == ()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"task_id": "A"}, 422, "BAD_TASK_ID"),
        ({"task_id": "../a"}, 422, "BAD_TASK_ID"),
        ({"task_id": "a", "base": "--upload-pack=x"}, 404, "BASE_NOT_FOUND"),
        ({"task_id": "a", "target": "nowhere"}, 404, "BASE_NOT_FOUND"),
        ({"task_id": "a", "needs": ["b"]}, 404, "NOT_FOUND"),
        ({"task_id": "a", "review_of": "b"}, 404, "NOT_FOUND"),
        ({"task_id": "a", "existing": True}, 404, "NOT_FOUND"),
        ({"task_id": "a", "agent": "nobody"}, 422, "BAD_INPUT"),
    ],
    ids=ascii,
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    admin: httpx.Client, repository: Path, body: dict[str, Any], status: int, code: str
) -> None:
    refused(admin.post(f"{API}/tasks", json=body), status, code)

    assert open_project(repository).runs.task_ids() == ()
    assert not (repository.parent / "acme.worktrees").exists()


def test_the_same_task_twice_is_refused(admin: httpx.Client) -> None:
    make(admin, "a")

    refused(admin.post(f"{API}/tasks", json={"task_id": "a"}), 409, "TASK_EXISTS")


def test_what_is_no_json_is_refused(admin: httpx.Client) -> None:
    kind = {"Content-Type": "application/json"}

    assert admin.post(f"{API}/tasks", content=b"{", headers=kind).json()["error"]["code"] == "BAD_INPUT"
    refused(admin.post(f"{API}/tasks", data={"task_id": "a"}), 415, "UNSUPPORTED_TYPE")


@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?limit=501", "?state=BUSY", "?what=1", "?agent=%00"])
def test_a_question_that_makes_no_sense_is_refused(admin: httpx.Client, query: str) -> None:
    refused(admin.get(f"{API}/tasks{query}"), 422, "BAD_INPUT")


def test_a_cursor_that_is_none_is_refused(admin: httpx.Client) -> None:
    refused(admin.get(f"{API}/tasks?cursor=../x"), 422, "BAD_TASK_ID")


def test_the_wrong_method_is_refused(admin: httpx.Client) -> None:
    refused(admin.delete(f"{API}/tasks"), 405, "METHOD_NOT_ALLOWED")
    refused(admin.get(f"{API}/tasks/a/start"), 405, "METHOD_NOT_ALLOWED")
