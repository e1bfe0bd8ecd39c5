"""What a worker's token may do beyond its own task: sub-tasks, and the verdict that its task is for; and until when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from conductor_git.actor import COORDINATOR
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.server.access.issuing import issue
from conductor_git.server.access.role import Role
from conductor_git.settings import project_config
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow import start
from conductor_git.workflow.agent_review.spawn import plan_review
from conductor_git.workflow.spawning.order import Order
from tests import kit
from tests.integration import families
from tests.integration.apis import API, refused, told
from tests.kit import tasks
from tests.kit.server import Server

APPROVE = {"verdict": "approve"}


@contextmanager
def worker_of(server: Server, task_id: str) -> Iterator[httpx.Client]:
    """A client with a token as `serve token add --role worker --task` makes it."""
    _, text = issue(server.serving.project, None, Role.WORKER, task=task_id, by="ada", at=utcnow())
    with server.client(None) as client:
        client.headers["Authorization"] = f"Bearer {text}"
        yield client


def verdicts(repository: Path, task_id: str) -> list[tuple[str, str]]:
    found = FileReviews(open_project(repository).layout).all(parse_task_id(task_id))
    return [(review.reviewer, str(review.verdict)) for review in found]


def reviewed(repository: Path) -> None:
    """Two tasks in review, and the task `judge` whose work is the verdict on the first, `prices`."""
    for name in ("prices", "other"):
        tasks.commit(tasks.spawn(repository, name), {f"{name}.py": "1\n"})
        tasks.hand_in(repository, name)
    project, judge = open_project(repository), parse_task_id("judge")
    plan = plan_review(project, Order(judge), project_config(project), parse_task_id("prices"))
    spawning.spawn(project, plan, by=COORDINATOR, at=utcnow())
    start.start(project, judge, by=COORDINATOR, at=utcnow())


def test_what_a_worker_makes_is_a_sub_task_of_its_own(server: Server, repository: Path) -> None:
    tasks.spawn(repository, "prices")
    with worker_of(server, "prices") as worker:
        task = told(worker.post(f"{API}/tasks", json={"task_id": "part"}), 201)["task"]
        refused(worker.post(f"{API}/tasks/part/cancel"), 403, "FORBIDDEN")
        refused(worker.post(f"{API}/tasks", json={"task_id": "x", "parent_task_id": "other"}), 422, "BAD_INPUT")

    assert (task["parent_task_id"], task["state"]) == ("prices", "ASSIGNED")
    assert tasks.record(repository, "part").history[0].by == "prices"


def test_a_worker_makes_no_more_sub_tasks_than_it_may(server: Server, repository: Path) -> None:
    families.limit(repository, children=1, depth=1)
    tasks.spawn(repository, "prices")
    with worker_of(server, "prices") as worker:
        told(worker.post(f"{API}/tasks", json={"task_id": "part"}), 201)
        most = refused(worker.post(f"{API}/tasks", json={"task_id": "more"}), 409, "FAMILY_LIMIT")
    with worker_of(server, "part") as worker:
        deep = refused(worker.post(f"{API}/tasks", json={"task_id": "deep"}), 409, "FAMILY_LIMIT")

    assert (most["limit"], deep["limit"]) == ("limits.children", "limits.depth")
    assert kit.conductor("status", "--all", "--json", cwd=repository).document["tasks"][2:] == []


def test_a_worker_chooses_nobody_who_reviews_its_own_work(server: Server, repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), {"new.py": "1\n"})
    tasks.hand_in(repository, "prices")
    with worker_of(server, "prices") as worker:
        refused(worker.post(f"{API}/tasks", json={"task_id": "mine", "review_of": "prices"}), 403, "SELF_REVIEW")


@pytest.mark.parametrize(
    ("place", "body", "status", "verdict"),
    [
        ("reviews", APPROVE, 201, "approve"),
        ("approve", {}, 200, "approve"),
        ("request-changes", {"message": "why?"}, 200, "request_changes"),
    ],
)
def test_the_worker_of_a_reviewers_task_gives_its_verdict(
    server: Server, repository: Path, place: str, body: dict[str, str], status: int, verdict: str
) -> None:
    reviewed(repository)
    with worker_of(server, "judge") as worker:
        told(worker.post(f"{API}/tasks/prices/{place}", json=body), status)

    assert verdicts(repository, "prices") == [("judge", verdict)]
    assert tasks.record(repository, "judge").state == "COMPLETED"


def test_it_gives_no_verdict_on_another_task_and_does_nothing_else_to_the_one_it_reviews(
    server: Server, repository: Path
) -> None:
    reviewed(repository)
    with worker_of(server, "judge") as worker:
        for place in ("approve", "request-changes", "reviews"):
            refused(worker.post(f"{API}/tasks/other/{place}", json=APPROVE), 403, "FORBIDDEN")
        for place in ("done", "fail", "heartbeat", "start", "merge", "cancel"):
            refused(worker.post(f"{API}/tasks/prices/{place}"), 403, "FORBIDDEN")
        refused(worker.post(f"{API}/bus", json={"body": "x", "task_id": "prices"}), 403, "FORBIDDEN")

    assert verdicts(repository, "other") == verdicts(repository, "prices") == []


def test_the_worker_of_an_ordinary_task_gives_no_verdict(server: Server, repository: Path) -> None:
    reviewed(repository)
    with worker_of(server, "other") as worker:
        refused(worker.post(f"{API}/tasks/prices/approve"), 403, "FORBIDDEN")
        refused(worker.post(f"{API}/tasks/other/approve"), 403, "SELF_REVIEW")

    assert verdicts(repository, "other") == verdicts(repository, "prices") == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tasks/prices/start", {}),
        ("/tasks/prices/heartbeat", {"note": "still here"}),
        ("/tasks/prices/done", {}),
        ("/tasks/prices/fail", {}),
        ("/tasks", {"task_id": "part"}),
    ],
)
def test_a_token_of_an_older_generation_speaks_for_its_task_no_more(
    server: Server, repository: Path, path: str, body: dict[str, str]
) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), {"new.py": "1\n"})
    with worker_of(server, "prices") as worker:
        for verb in ("fail", "retry"):
            assert kit.conductor(verb, "prices", cwd=repository).code == 0
        before = tasks.record(repository, "prices")

        error = refused(worker.post(API + path, json=body), 409, "STALE_GENERATION")

    assert error["generation"] == before.generation == 2
    assert tasks.record(repository, "prices") == before
    assert open_project(repository).runs.task_ids() == (TaskId("prices"),)


def test_the_verdict_of_an_older_generation_is_refused(server: Server, repository: Path) -> None:
    reviewed(repository)
    with worker_of(server, "judge") as worker:
        for verb in ("cancel", "retry"):
            assert kit.conductor(verb, "judge", cwd=repository).code == 0

        refused(worker.post(f"{API}/tasks/prices/reviews", json=APPROVE), 409, "STALE_GENERATION")

    assert verdicts(repository, "prices") == []
