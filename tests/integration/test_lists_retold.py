"""A server's list of tasks, which is remembered between requests: nothing of it is ever told as it was before."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conductor_git.errors import BadRecord
from conductor_git.heartbeat import remember_quiet, touch_activity
from conductor_git.names import parse_task_id
from conductor_git.processtable import is_alive
from conductor_git.project import Project, open_project
from conductor_git.run import ProcessId, State, utcnow
from conductor_git.server.access.gate import Gate
from conductor_git.server.access.sessions import Sessions
from conductor_git.server.access.tokens import Tokens
from conductor_git.server.api import retold
from conductor_git.server.app import create_app
from conductor_git.server.serving import Serving
from conductor_git.store.files import encode
from conductor_git.store.remembering import RememberingRuns
from conductor_git.workflow import conflicts
from conductor_git.workflow.documents.task import row_document, unreadable_document
from conductor_git.workflow.listing import Asked, listing
from tests import kit
from tests.integration import plans
from tests.integration.agents import WAIT, attempt_of, launch
from tests.kit import tasks

ONE, TWO, PRICES = parse_task_id("one"), parse_task_id("two"), parse_task_id("prices")
ALL = Asked(everything=True)
Kept = dict[object, Any]
WORK = {"src/prices.py": "PRICES = 1\n"}


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The lists that are remembered."""
    found: Kept = {}
    monkeypatch.setattr(retold, "_known", found)
    return found


@pytest.fixture
def project(repository: Path) -> Iterator[Project]:
    """As a server has it, with two tasks at work."""
    tasks.commit(tasks.spawn(repository, ONE), WORK)
    tasks.spawn(repository, TWO)
    opened = open_project(repository)
    serving = Serving(opened, Gate(Tokens(opened.layout), Sessions(utcnow)), utcnow)
    served: Project = create_app(serving).state.serving.project
    yield served
    serving.ending.set()


@pytest.fixture
def supervised(project: Project) -> Iterator[Project]:
    """With a third task, whose agent waits."""
    launch(project.repository, WAIT)
    yield project
    plans.stop_all(project.repository)


def told(project: Project, asked: Asked = ALL, now: datetime | None = None) -> dict[str, Any]:
    """The answer, which is what someone finds who has never looked before."""
    now = now or utcnow()
    document: dict[str, Any] = json.loads(bytes(retold.list_answer(project, asked, now).body))
    found = listing(open_project(project.repository), asked, now=now)
    fresh = [unreadable_document(row) if isinstance(row, BadRecord) else row_document(row) for row in found.rows]
    assert document == {"schema": 1, "tasks": fresh, "next": found.next, "total": found.total}
    return document


def row(project: Project, task_id: str, now: datetime | None = None) -> dict[str, Any]:
    return next(row for row in told(project, now=now)["tasks"] if row["task_id"] == task_id)


def is_retold(project: Project, kept: Kept, asked: Asked = ALL) -> bool:
    """Whether a list that is asked for twice is worked out once."""
    told(project, asked)
    before = list(kept.values())
    told(project, asked)
    return bool(before) and list(map(id, before)) == list(map(id, kept.values()))


def record_changed(project: Project) -> None:
    open_project(project.repository).runs.update(ONE, lambda run: replace(run, title="100 % new"))


def record_edited_in_place(project: Project) -> None:
    path = project.layout.run_info(ONE)
    path.write_bytes(encode(replace(project.runs.get(ONE), title="edited")))


def record_broken(project: Project) -> None:
    project.layout.run_info(ONE).write_text("schema: [")


def task_removed(project: Project) -> None:
    shutil.rmtree(project.layout.task(TWO))


def task_came(project: Project) -> None:
    tasks.spawn(project.repository, "three")


def task_ended(project: Project) -> None:
    open_project(project.repository).runs.update(TWO, lambda run: replace(run, state=State.CANCELLED))


def branch_moved(project: Project) -> None:
    tasks.commit(Path(project.runs.get(TWO).worktree), {"src/prices.py": "PRICES = 2\n"})


def branch_moved_back(project: Project) -> None:
    kit.git(project.repository, "update-ref", "refs/heads/worker/one", "main")


def branch_written_in_place(project: Project) -> None:
    ref = project.layout.common_dir / "refs" / "heads" / "worker" / "one"
    with ref.open("r+") as file:
        file.write(kit.git(project.repository, "rev-parse", "main"))


def branch_deleted(project: Project) -> None:
    kit.git(project.repository, "update-ref", "-d", "refs/heads/worker/one")


def target_moved(project: Project) -> None:
    tasks.commit(project.repository, {"src/prices.py": "PRICES = 3\n"})


def branches_packed_and_moved(project: Project) -> None:
    kit.git(project.repository, "pack-refs", "--all")
    branch_moved(project)


def branches_packed_and_one_deleted(project: Project) -> None:
    kit.git(project.repository, "pack-refs", "--all")
    told(project)
    branch_deleted(project)


CHANGES = (
    record_changed,
    record_edited_in_place,
    record_broken,
    task_removed,
    task_came,
    task_ended,
    branch_moved,
    branch_moved_back,
    branch_written_in_place,
    branch_deleted,
    target_moved,
    branches_packed_and_moved,
    branches_packed_and_one_deleted,
)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_told_at_the_next_request(
    project: Project, kept: Kept, change: Callable[[Project], None]
) -> None:
    assert is_retold(project, kept)
    assert is_retold(project, kept, Asked(limit=1))
    before = [{**row, "age_seconds": 0} for row in told(project)["tasks"]]

    change(project)

    assert [{**row, "age_seconds": 0} for row in told(project)["tasks"]] != before
    told(project, Asked(limit=1))


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_so_too_where_nobody_tells_of_changes(project: Project, change: Callable[[Project], None]) -> None:
    project = replace(project, runs=RememberingRuns(project.layout), has_moved=None)
    for _ in range(2):
        told(project)

    change(project)

    told(project)


def test_ages_are_those_of_now_also_where_the_clock_was_set_back(project: Project, kept: Kept) -> None:
    assert is_retold(project, kept)
    now = utcnow()

    ages = [row(project, ONE, now + timedelta(seconds=seconds))["age_seconds"] for seconds in (0, 77.0005, -9999)]

    assert round(ages[1] - ages[0], 2) == 77.0
    assert ages[2] == 0


def test_two_tasks_that_begin_to_collide_are_told_so(project: Project, kept: Kept) -> None:
    assert is_retold(project, kept)
    assert row(project, ONE)["collides"] == []

    branch_moved(project)

    assert row(project, ONE)["collides"] == [TWO]


def test_a_killed_process_is_told_at_the_next_request(supervised: Project, kept: Kept) -> None:
    project = supervised
    kit.until(lambda: is_retold(project, kept))
    assert (row(project, PRICES)["health"], row(project, PRICES)["supervised"]) == ("alive", True)
    attempt = attempt_of(project.repository)
    assert attempt.supervisor is not None
    assert attempt.process is not None

    kill(attempt.supervisor)
    assert (row(project, PRICES)["health"], row(project, PRICES)["supervised"]) == ("alive", False)
    assert is_retold(project, kept)
    kill(attempt.process)
    assert (row(project, PRICES)["health"], row(project, PRICES)["supervised"]) == ("dead", False)
    assert is_retold(project, kept)


def kill(process: ProcessId) -> None:
    os.kill(process.pid, signal.SIGKILL)
    kit.until(lambda: not is_alive(process))


def test_an_agent_that_goes_quiet_and_speaks_again_is_told_at_the_next_request(supervised: Project, kept: Kept) -> None:
    project = supervised
    kit.until(lambda: is_retold(project, kept))
    now = utcnow()
    touch_activity(project.layout, PRICES, now.timestamp())
    later = [now + timedelta(seconds=seconds) for seconds in (599, 601, 602)]

    assert [row(project, PRICES, at)["health"] for at in later] == ["alive", "slow", "slow"]
    touch_activity(project.layout, PRICES, now.timestamp() + 60)
    assert row(project, PRICES, later[-1])["health"] == "alive"
    remember_quiet(project.layout, 500)
    assert row(project, PRICES, later[-1])["health"] == "slow"


def test_what_was_not_found_out_yet_is_not_told_for_ever(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of very many collisions each look works out some, and nothing has to change before the others are."""
    branch_moved(project)
    with monkeypatch.context() as few:
        few.setattr(conflicts, "MOST_AT_A_GLANCE", 0)
        document = json.loads(bytes(retold.list_answer(project, ALL, utcnow()).body))
        assert [row["collides"] for row in document["tasks"]] == [[], []]

    assert row(project, ONE)["collides"] == [TWO]


def test_what_is_remembered_is_bounded(project: Project, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(bytes(retold.list_answer(project, ALL, utcnow()).body))
    monkeypatch.setattr(retold, "_MOST_BYTES", 3 * size)
    for limit in range(2, 20):
        told(project, Asked(limit=limit))
        assert sum(len(known.form) for known in kept.values()) <= 3 * size
    assert kept
