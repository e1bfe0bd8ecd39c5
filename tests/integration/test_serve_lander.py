"""`queue.auto`: what is approved lands by itself while a server runs, and a server that ends leaves no half landing."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conductor_git.project import open_project
from conductor_git.run import State, utcnow
from conductor_git.server.lander import LOOK_SECONDS, Lander
from tests import kit
from tests.integration.test_serve_access_command import started
from tests.kit import tasks
from tests.kit.server import serving


def auto(repository: Path, gate: str = "") -> None:
    """Let the project land by itself, and have the `gate`."""
    gates = [{"name": "look", "run": gate}] if gate else []
    tasks.commit(repository, {".conductor.yaml": json.dumps({"queue": {"auto": True}, "gates": gates})}, "Settle it")


@contextmanager
def working(repository: Path, look_seconds: float = LOOK_SECONDS) -> Iterator[list[str]]:
    """A lander at work; yields what it says."""
    said = list[str]()
    with Lander(open_project(repository), utcnow, said.append, look_seconds).working():
        yield said


def landed(repository: Path, task_id: str) -> bool:
    return tasks.record(repository, task_id).state is State.COMPLETED


def test_what_is_approved_before_and_meanwhile_lands_by_itself_and_the_history_says_so(repository: Path) -> None:
    auto(repository)
    tasks.approved(repository, "prices", {"src/prices.py": "1\n"})
    with working(repository) as said:
        kit.until(lambda: landed(repository, "prices"))
        tasks.approved(repository, "taxes", {"src/taxes.py": "1\n"})
        kit.until(lambda: landed(repository, "taxes"))

    assert tasks.record(repository, "taxes").history[-1].by == "queue"
    assert said == ["prices: LANDED", "taxes: LANDED"]


def test_without_the_setting_nothing_lands_until_a_person_says_so(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": "1\n"})
    with working(repository, look_seconds=0.01) as said:
        assert kit.conductor("bus", "post", "something new", cwd=repository).code == 0
        assert kit.conductor("merge", "prices", cwd=repository).code == 0

    assert tasks.record(repository, "prices").history[-1].by == "coordinator"
    assert said == []


def test_what_a_file_in_the_way_blocked_is_told_once_and_lands_when_it_is_gone(repository: Path) -> None:
    auto(repository)
    tasks.approved(repository, "prices", {"src/new.py": "1\n"})
    (repository / "src" / "new.py").write_text("mine\n")
    with working(repository, look_seconds=0.01) as said:
        kit.until(lambda: said)
        tried = tasks.record(repository, "prices").revision
        kit.until(lambda: tasks.record(repository, "prices").revision > tried)
        (repository / "src" / "new.py").unlink()
        kit.until(lambda: landed(repository, "prices"))

    assert [line.partition(":")[2].partition(":")[0] for line in said] == [" BLOCKED", " LANDED"]


def test_gates_that_nobody_agreed_to_keep_it_back_and_are_named_once(repository: Path) -> None:
    auto(repository, gate="true")
    tasks.approved(repository, "prices", {"src/prices.py": "1\n"})
    with working(repository, look_seconds=0.01) as said:
        kit.until(lambda: said)
        assert kit.conductor("bus", "post", "something new", cwd=repository).code == 0
        assert kit.conductor("config", "trust", cwd=repository).code == 0
        kit.until(lambda: landed(repository, "prices"))

    assert len(said) == 2


def test_a_server_that_is_told_to_end_ends_when_the_landing_under_way_has(repository: Path, tmp_path: Path) -> None:
    auto(repository, gate=f"touch {tmp_path}/runs; until [ -e {tmp_path}/go ]; do sleep 0.02; done")
    assert kit.conductor("config", "trust", cwd=repository).code == 0
    tasks.approved(repository, "prices", {"src/prices.py": "1\n"})
    with started(repository) as server:
        kit.until((tmp_path / "runs").exists)
        server.process.send_signal(signal.SIGTERM)
        (tmp_path / "go").touch()
        code, err = server.end()

    assert code == 143
    assert "prices: LANDED" in err
    assert landed(repository, "prices")


def test_the_queue_page_says_that_things_land_by_themselves(repository: Path) -> None:
    with serving(repository) as server, server.client() as client:
        before = client.get("/queue").text
        auto(repository)
        empty = client.get("/queue").text
        tasks.approved(repository, "prices", {"src/prices.py": "1\n"})
        full = client.get("/queue").text

    assert "by itself" not in before
    assert "What is approved lands by itself." in empty
    assert "It lands by itself" in full
