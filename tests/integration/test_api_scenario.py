"""One story told twice, by commands and by requests, on two repositories that are alike: the documents are the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx

from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.server.access.role import Role
from tests import kit
from tests.integration.apis import API, Masked
from tests.kit import tasks
from tests.kit.server import serving

FIRST = {"src/new.py": "NEW = 1\nOLD = 0\n"}
FIXED = {"src/new.py": "NEW = 2\nOLD = 0\n", "src/test_new.py": "assert True\n"}
COMMENT = {"path": "src/new.py", "line": 1, "body": "two, not one"}


class Hands(Protocol):
    """What the story does, by one surface or the other; each answers with the document."""

    def spawn(self) -> Any: ...
    def verb(self, verb: str, **words: Any) -> Any: ...
    def look(self, what: str) -> Any: ...
    def review(self, verdict: str, message: str, *comments: dict[str, Any]) -> Any: ...
    def ask(self, name: str) -> Any: ...


class Commands:
    """By commands."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    def run(self, *words: str) -> Any:
        return kit.conductor(*words, "--json", cwd=self.repository).document

    def spawn(self) -> Any:
        return self.run("spawn", "prices", "-m", "Raise the prices", "--title", "Raise them")

    def verb(self, verb: str, **words: Any) -> Any:
        return self.run(verb, "prices", *(word for pair in words.items() for word in (f"--{pair[0]}", pair[1])))

    def look(self, what: str) -> Any:
        words = {"status": ["status", "--all"], "bus": ["bus", "read"], "queue": ["queue"], "conflicts": ["conflicts"]}
        return self.run(*words.get(what, [what, "prices"]))

    def review(self, verdict: str, message: str, *comments: dict[str, Any]) -> Any:
        words = [f"{one['path']}:{one['line']}:{one['body']}" for one in comments]
        return self.run(
            verdict, "prices", "--as", "ada", "-m", message, *(w for one in words for w in ("--comment", one))
        )

    def ask(self, name: str) -> Any:
        return self.run("spawn", name, "--review", "prices", "-m", "Look at NEW")


class Requests:
    """By requests."""

    def __init__(self, admin: httpx.Client, reviewer: httpx.Client) -> None:
        self.admin, self.reviewer = admin, reviewer

    def spawn(self) -> Any:
        body = {"task_id": "prices", "prompt": "Raise the prices", "title": "Raise them"}
        return self.admin.post(f"{API}/tasks", json=body).json()

    def verb(self, verb: str, **words: Any) -> Any:
        names = {"done": {"message": "summary"}}.get(verb, {})
        body = {names.get(key, key): value for key, value in words.items()}
        return self.admin.post(f"{API}/tasks/prices/{verb}", json=body).json()

    def look(self, what: str) -> Any:
        paths = {"status": "/tasks?all=true", "bus": "/bus", "queue": "/queue", "conflicts": "/conflicts"}
        return self.admin.get(API + paths.get(what, "/tasks/prices" + ("" if what == "show" else f"/{what}"))).json()

    def review(self, verdict: str, message: str, *comments: dict[str, Any]) -> Any:
        body = {"message": message, "comments": list(comments)}
        return self.reviewer.post(f"{API}/tasks/prices/{verdict}", json=body).json()

    def ask(self, name: str) -> Any:
        body = {"task_id": name, "review_of": "prices", "prompt": "Look at NEW"}
        return self.admin.post(f"{API}/tasks", json=body).json()


def story(hands: Hands, repository: Path) -> Iterator[tuple[str, Any]]:
    yield "spawn", hands.spawn()
    worktree = Path(tasks.record(repository, "prices").worktree)
    yield "start", hands.verb("start")
    yield "nothing to review", hands.verb("done")
    yield "a reviewer too early", hands.ask("critic")
    tasks.commit(worktree, FIRST)
    yield "done", hands.verb("done", message="Raised")
    yield "too early", hands.verb("merge")
    yield "diff", hands.look("diff")
    yield "a line that is not there", hands.review("request-changes", "no", {**COMMENT, "line": 9})
    yield "request changes", hands.review("request-changes", "not yet", COMMENT)
    yield "show what was said", hands.look("show")
    tasks.commit(worktree, FIXED)
    yield "done again", hands.verb("done")
    yield "a reviewer", hands.ask("critic")
    yield "the same one again", hands.ask("critic")
    yield "approve", hands.review("approve", "reads well")
    yield "diff with what was said", hands.look("diff")
    yield "queue", hands.look("queue")
    yield "conflicts", hands.look("conflicts")
    yield "merge", hands.verb("merge")
    yield "show what landed", hands.look("show")
    yield "undo", hands.verb("undo", message="it broke the shop")
    yield "undo twice", hands.verb("undo")
    yield "retry", hands.verb("retry")
    yield "cancel", hands.verb("cancel", message="not wanted")
    yield "status", {"tasks": hands.look("status")["tasks"]}
    yield "bus", hands.look("bus")


def test_commands_and_requests_tell_one_story_with_the_same_documents(tmp_path: Path) -> None:
    one, other = (kit.make_repository(tmp_path / name / "acme") for name in ("one", "other"))
    by_commands = list(story(Commands(one), one))
    with serving(other) as server:
        admin, reviewer = (
            httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60)
            for token in (server.token("coordinator", Role.ADMIN), server.token("ada", Role.REVIEWER))
        )
        with admin, reviewer:
            by_requests = list(story(Requests(admin, reviewer), other))

    first, second = Masked(one.parent), Masked(other.parent)
    for (what, said), (_, answered) in zip(by_commands, by_requests, strict=True):
        assert (what, second(answered)) == (what, first(said))
    critic, prices = by_requests[-2][1]["tasks"]
    assert (critic["state"], critic["review_of"], prices["state"]) == ("ASSIGNED", "prices", "CANCELLED")
    assert open_project(one).runs.get(parse_task_id("prices")).generation == 2
