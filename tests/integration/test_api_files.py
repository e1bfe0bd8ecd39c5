"""What agents and gates printed, over HTTP: named files only, no link followed, in parts, and without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from conductor_git.names import RunId, parse_task_id
from conductor_git.project import open_project
from conductor_git.run import Attempt, utcnow
from conductor_git.transition import note
from conductor_git.workflow.excerpt import excerpt
from tests import kit
from tests.integration.apis import API, refused, told
from tests.kit import tasks
from tests.kit.server import serving

RUN = RunId("20260105-090000-000000-00000001")
KEY = "sk-ant-0123456789abcdefghij"
FILES = f"{API}/tasks/prices/attempts/{RUN}/files"


@pytest.fixture
def admin(repository: Path) -> Iterator[httpx.Client]:
    with serving(repository) as server, server.client() as client:
        yield client


@pytest.fixture
def folder(repository: Path) -> Path:
    """The folder of an attempt that is on record."""
    tasks.spawn(repository, "prices")
    project, now = open_project(repository), utcnow()
    task_id = parse_task_id("prices")
    attempt = Attempt(RUN, "claude", None, None, None, now, ended_at=now)
    note(project, task_id, lambda run: replace(run, attempts=(attempt,)), at=now)
    place = project.layout.attempt(task_id, RUN)
    place.mkdir(parents=True)
    return place


def test_the_files_of_an_attempt_are_listed_and_read(admin: httpx.Client, folder: Path) -> None:
    (folder / "stdout.log").write_text("starting\n")
    (folder / "notes.txt").write_text("mine\n")

    answered = told(admin.get(f"{API}/tasks/prices/attempts/{RUN}"))

    assert answered["files"] == [{"name": "stdout.log", "size": 9}]
    assert answered["attempt"]["run_id"] == RUN
    assert [one["run_id"] for one in told(admin.get(f"{API}/tasks/prices/attempts"))["attempts"]] == [RUN]
    assert told(admin.get(f"{FILES}/stdout.log"))["file"] == {
        "name": "stdout.log",
        "size": 9,
        "offset": 0,
        "next_offset": 9,
        "text": "starting\n",
    }


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "run-info.yaml", "%2e%2e", "..%5crun-info.yaml", "stdout.log%00", "STDOUT.LOG", "*"],
    ids=ascii,
)
def test_no_other_file_is_read(admin: httpx.Client, folder: Path, name: str) -> None:
    (folder / "notes.txt").write_text("mine\n")

    refused(admin.get(f"{FILES}/{name}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["%2e%2e%2f%2e%2e%2frun-info.yaml", "..%2frun-info.yaml", "%2fetc%2fpasswd"])
def test_an_encoded_slash_in_a_name_leads_nowhere(admin: httpx.Client, folder: Path, path: str) -> None:
    assert folder.is_dir()
    refused(admin.get(f"{FILES}/{path}"), 404, "NOT_FOUND")
    refused(admin.get(f"{API}/tasks/prices/attempts/{path}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("run_id", ["%2e%2e", "other", "x%00y"])
def test_an_attempt_that_is_not_on_record_is_not_found(admin: httpx.Client, folder: Path, run_id: str) -> None:
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "stdout.log").write_text("mine\n")

    refused(admin.get(f"{API}/tasks/prices/attempts/{run_id}"), 404, "NOT_FOUND")
    refused(admin.get(f"{API}/tasks/prices/attempts/{run_id}/files/stdout.log"), 404, "NOT_FOUND")


def test_a_link_in_the_place_of_a_file_is_not_followed(admin: httpx.Client, folder: Path, home: Path) -> None:
    (home / "secret").write_text("mine\n")
    (folder / "stdout.log").symlink_to(home / "secret")

    refused(admin.get(f"{FILES}/stdout.log"), 403, "UNSAFE_PATH")
    assert told(admin.get(f"{API}/tasks/prices/attempts/{RUN}"))["files"] == []


def test_a_file_that_is_not_there_is_not_found(admin: httpx.Client, folder: Path) -> None:
    assert folder.is_dir()
    refused(admin.get(f"{FILES}/output.md"), 404, "NOT_FOUND")


def test_secrets_are_masked_wherever_a_part_begins(admin: httpx.Client, folder: Path) -> None:
    text = f"before {KEY} behind\n"
    (folder / "stdout.log").write_text(text)

    for offset in range(len(text)):
        part = told(admin.get(f"{FILES}/stdout.log?offset={offset}&limit=3"))["file"]
        assert not any(KEY[at : at + 6] in part["text"] for at in range(len(KEY) - 6)), part
    whole = told(admin.get(f"{FILES}/stdout.log"))["file"]["text"]
    assert whole == "before [masked] behind\n"


def test_parts_put_together_are_the_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "stdout.log"
    file.write_text(f"zwölf Boxkämpfer ✓ {KEY} jagen \N{GRINNING FACE}\n" * 5)

    for limit in (1, 2, 3, 7, 64):
        parts, at = list[str](), 0
        while at < file.stat().st_size:
            part = excerpt(file, offset=at, limit=limit)
            assert part.offset == at
            parts.append(part.text)
            at = part.next_offset
        assert "".join(parts) == excerpt(file).text
        assert "\N{REPLACEMENT CHARACTER}" not in "".join(parts)


def test_behind_the_end_there_is_nothing(admin: httpx.Client, folder: Path) -> None:
    (folder / "stdout.log").write_text("end\n")

    part = told(admin.get(f"{FILES}/stdout.log?offset=99"))["file"]

    assert (part["offset"], part["next_offset"], part["text"]) == (4, 4, "")
    refused(admin.get(f"{FILES}/stdout.log?offset=-1"), 422, "BAD_INPUT")
    refused(admin.get(f"{FILES}/stdout.log?limit=99999999"), 422, "BAD_INPUT")


def test_a_landing_has_its_evidence_and_the_logs_of_its_gates(admin: httpx.Client, repository: Path) -> None:
    gates = "gates:\n  - name: tests\n    run: echo all green\n"
    tasks.commit(repository, {".conductor.yaml": gates}, "Gates")
    tasks.approved(repository, "prices", {"new.py": "NEW = 1\n"})

    merged = told(admin.post(f"{API}/tasks/prices/merge", json={"trust": True}))
    landing_id = merged["task"]["landing"]["landing_id"]
    answered = told(admin.get(f"{API}/landings/{landing_id}"))

    assert answered["landing"]["landings"][0]["reviewers"] == ["ada"]
    assert told(admin.get(f"{API}/landings"))["landings"] == [answered["landing"]]
    (log,) = answered["gate_logs"]
    assert told(admin.get(f"{API}/landings/{landing_id}/gates/{log['name']}"))["file"]["text"] == "all green\n"
    for name in ("evidence.json", "%2e%2e", "02-tests.log", "..%2fevidence.json"):
        refused(admin.get(f"{API}/landings/{landing_id}/gates/{name}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("landing_id", ["main", "..", "%2e%2e", "0" * 39, "x%00"])
def test_what_names_no_landing_is_refused(admin: httpx.Client, landing_id: str) -> None:
    assert admin.get(f"{API}/landings/{landing_id}").status_code in (404, 422)
    refused(admin.get(f"{API}/landings/{'0' * 40}"), 404, "NOT_FOUND")


def test_a_landing_that_gates_refused_has_their_logs_and_no_evidence(admin: httpx.Client, repository: Path) -> None:
    gates = "gates:\n  - name: tests\n    run: echo red; exit 1\n"
    tasks.commit(repository, {".conductor.yaml": gates}, "Gates")
    tasks.approved(repository, "prices", {"new.py": "NEW = 1\n"})

    error = refused(admin.post(f"{API}/tasks/prices/merge", json={"trust": True}), 409, "GATE_FAILED")
    answered = told(admin.get(f"{API}/landings/{Path(error['log']).parent.name}"))

    assert answered["landing"] is None
    assert [log["name"] for log in answered["gate_logs"]] == [Path(error["log"]).name]
    assert kit.git(repository, "log", "-1", "--format=%s", "main") == "Gates"
