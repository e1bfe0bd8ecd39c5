"""The bus over HTTP: what is read, what may be posted, and the rest of what only looks."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from conductor_git.message import COORDINATOR_TYPES, MAX_BODY
from conductor_git.project import open_project
from tests import kit
from tests.integration.apis import API, refused, told
from tests.kit import tasks
from tests.kit.server import Server

KEY = "sk-ant-0123456789abcdefghij"


def post(client: httpx.Client, body: str, **more: object) -> str:
    msg_id: str = told(client.post(f"{API}/bus", json={"body": body, **more}), 201)["msg_id"]
    return msg_id


def bodies(client: httpx.Client, query: str = "") -> list[str]:
    return [message["body"] for message in told(client.get(f"{API}/bus{query}"))["messages"]]


def test_messages_are_read_on_from_the_last_one_that_was_read(admin: httpx.Client) -> None:
    first, *_ = [post(admin, str(number), type="FACT" if number % 2 else "INFO") for number in range(5)]

    assert bodies(admin) == ["0", "1", "2", "3", "4"]
    assert bodies(admin, f"?since={first}&limit=2") == ["1", "2"]
    assert bodies(admin, "?tail=2") == ["3", "4"]
    assert bodies(admin, "?type=INFO&tail=2") == ["2", "4"]
    assert bodies(admin, "?type=INFO&type=FACT&limit=1") == ["0"]


def test_a_conversation_is_found_and_its_answers_say_what_they_answer(admin: httpx.Client, server: Server) -> None:
    question = post(admin, "which port?", type="QUESTION", task_id="prices")
    post(admin, "something else")
    answered = post(admin, "8484", parents=[{"msg_id": question, "kind": "answers"}])

    assert bodies(admin, f"?thread={answered}") == ["which port?", "8484"]
    message = told(admin.get(f"{API}/bus/{answered}"))["message"]
    assert message["parents"] == [{"msg_id": question, "kind": "answers"}]
    assert message["meta"]["by"] == "admin"
    assert bodies(admin, "?task=prices") == ["which port?"]
    by_command = kit.conductor("bus", "read", "--json", cwd=server.serving.project.repository).document["messages"]
    assert told(admin.get(f"{API}/bus"))["messages"] == by_command


def test_a_parent_that_is_not_there_is_told_and_the_message_posted(admin: httpx.Client) -> None:
    body = {"body": "yes", "parents": [{"msg_id": "MSG-1"}]}

    assert told(admin.post(f"{API}/bus", json=body), 201)["unknown_parents"] == ["MSG-1"]


def test_nobody_else_can_say_who_posted(admin: httpx.Client) -> None:
    msg_id = post(admin, "mine", meta={"by": "somebody else"})

    assert told(admin.get(f"{API}/bus/{msg_id}"))["message"]["meta"]["by"] == "admin"


@pytest.mark.parametrize("kind", sorted(COORDINATOR_TYPES))
def test_what_tells_what_we_did_is_nobody_elses_to_post(admin: httpx.Client, repository: Path, kind: str) -> None:
    refused(admin.post(f"{API}/bus", json={"type": kind, "body": "done"}), 422, "BAD_INPUT")
    assert open_project(repository).bus.tail(1) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"body": "x\0y"},
        {"body": "x" * (MAX_BODY + 1)},
        {"body": "x", "type": "fact"},
        {"body": "x", "meta": {"a": 1}},
        {"body": "x", "meta": {"a\nb": "1"}},
        {"body": "x", "task_id": "../a"},
        {"body": "x", "parents": ["MSG-1"]},
    ],
    ids=lambda body: ascii(body)[:40],
)
def test_a_message_of_the_wrong_shape_is_not_posted(admin: httpx.Client, repository: Path, body: object) -> None:
    refused(admin.post(f"{API}/bus", json=body), 422, "BAD_INPUT")
    assert open_project(repository).bus.tail(1) == []


@pytest.mark.parametrize("query", ["?since=MSG-1", "?thread=MSG-1", "/MSG-1", "/%2e%2e%2e", "/x%00"])
def test_a_message_that_is_not_there_is_not_found(admin: httpx.Client, query: str) -> None:
    post(admin, "something")

    refused(admin.get(f"{API}/bus{query}"), 404, "UNKNOWN_CURSOR")


@pytest.mark.parametrize("query", ["?tail=1&limit=1", "?tail=0", "?limit=1001", "?thread=MSG-1&task=a"])
def test_what_contradicts_itself_is_refused(admin: httpx.Client, query: str) -> None:
    refused(admin.get(f"{API}/bus{query}"), 422, "BAD_INPUT")


def test_no_secret_is_told_by_messages_or_config(admin: httpx.Client, repository: Path) -> None:
    tasks.write(repository, {".conductor.yaml": f"agents:\n  here:\n    command: [here, --key, {KEY}]\n"})
    post(admin, f"the key is {KEY}")

    assert bodies(admin) == ["the key is [masked]"]
    settings = told(admin.get(f"{API}/config"))["settings"]
    assert KEY not in str(settings)
    assert "[masked]" in str(settings)
    assert {one["key"]: one["origin"] for one in settings}["limits.workers"] == "default"


def test_conflicts_and_agents_are_those_that_the_commands_tell(admin: httpx.Client, repository: Path) -> None:
    for name in ("one", "other"):
        tasks.commit(tasks.spawn(repository, name), {"src/prices.py": f"PRICES = '{name}'\n"})

    before = open_project(repository).bus.tail(1)
    found = told(admin.get(f"{API}/conflicts"))
    assert open_project(repository).bus.tail(1) == before
    assert found["collisions"][0]["tasks"] == ["one", "other"]
    for name in ("conflicts", "queue", "agents"):
        said, answered = kit.conductor(name, "--json", cwd=repository).document, told(admin.get(f"{API}/{name}"))
        for agent in (*said.get("agents", ()), *answered.get("agents", ())):
            del agent["path"], agent["command"]  # ours begin with the Python that runs us, which has several names
        assert {"schema": 1, **answered} == said
    assert told(admin.get(f"{API}/conflicts?task=one"))["collisions"] == found["collisions"]
    refused(admin.get(f"{API}/conflicts?task=nothing"), 404, "NOT_FOUND")


def test_file_names_that_are_no_text_are_told_as_json_can(admin: httpx.Client, repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"caf\udce9.py": "NEW = 1\n"})

    assert told(admin.get(f"{API}/tasks/prices/diff?parts=true"))["files"] == ["caf\udce9.py"]
