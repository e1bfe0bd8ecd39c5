"""gc: records and segments of the bus go to the archive, whole, and are dropped only where somebody asks for it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from conductor_git.bus.segments.listing import closed_segments
from conductor_git.layout import Layout
from tests import kit
from tests.kit import tasks

CONFIG = "gc: {records: 0.001s, segments: 0.001s}\nbus: {segment_bytes: 1024}\n"


def gc(repository: Path, *options: str) -> Any:
    done = kit.conductor("gc", "--json", "--yes", *options, cwd=repository)
    assert done.code == 0, done
    return done.document


def of_kind(document: Any, kind: str) -> list[Any]:
    return [one for one in document["leftovers"] if one["kind"] == kind]


def bytes_in(folder: Path) -> dict[str, bytes]:
    """All but locks, in which their last holder stands."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def layout(repository: Path) -> Layout:
    return Layout(repository / ".git")


@pytest.fixture
def landed(repository: Path) -> Path:
    tasks.commit(repository, {".conductor.yaml": CONFIG})
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"}, prompt="Do it\n")
    tasks.landed(tasks.merge(repository, "prices"))
    return repository


def test_a_record_goes_to_the_archive_and_comes_back_byte_for_byte(landed: Path, layout: Layout) -> None:
    before = bytes_in(layout.tasks / "prices")
    landings = bytes_in(layout.landings)

    (record,) = of_kind(gc(landed), "record")

    assert record["removed"] is True
    assert record["bytes"] > 0
    assert not (layout.tasks / "prices").exists()
    assert landings != {} == bytes_in(layout.landings)
    assert kit.conductor("status", "--all", cwd=landed).code == 0
    listed = kit.conductor("restore", "--json", cwd=landed).document["archived"]
    assert [(one["task_id"], one["back"]) for one in listed] == [("prices", record["back"])]
    tasks.refused(kit.conductor("show", "prices", "--json", cwd=landed), "NOT_FOUND", 18)
    subprocess.run(["sh", "-c", record["back"]], check=True)
    assert bytes_in(layout.tasks / "prices") == before
    assert bytes_in(layout.landings) == landings
    assert tasks.record(landed, "prices").state == "COMPLETED"


def test_a_record_that_somebody_needs_stays(landed: Path) -> None:
    tasks.spawn(landed, "taxes", needs=("prices",))

    done = gc(landed)

    assert of_kind(done, "record") == []
    held = {one["name"]: one["why"] for one in done["held"] if one["kind"] == "record"}
    assert held == {"prices": "taxes names it"}


def test_a_record_with_a_salvage_a_branch_or_a_worktree_stays(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": CONFIG})
    for task in ("one", "two"):
        tasks.commit(tasks.spawn(repository, task), {f"{task}.txt": "new\n"})
        assert kit.conductor("cancel", task, cwd=repository).code == 0
    kit.git(repository, "worktree", "remove", tasks.record(repository, "two").worktree)

    held = {one["name"]: one["why"] for one in gc(repository)["held"] if one["kind"] == "record"}

    assert held == {"one": "its worktree is there", "two": "its branch worker/two is there"}


def test_no_record_goes_while_one_cannot_be_read(landed: Path, layout: Layout) -> None:
    tasks.write(layout.tasks / "broken", {"run-info.yaml": "version: [\n"})

    assert of_kind(gc(landed), "record") == []
    assert (layout.tasks / "prices").is_dir()


def test_the_id_of_an_archived_task_is_free_and_unpacking_overwrites_nothing(landed: Path) -> None:
    (record,) = of_kind(gc(landed), "record")
    tasks.spawn(landed, "prices")

    subprocess.run(["sh", "-c", record["back"]], check=False, capture_output=True)

    assert tasks.record(landed, "prices").state == "WORKING"


@pytest.fixture
def talkative(landed: Path) -> Path:
    gc(landed)  # takes the record
    for number in range(20):
        assert kit.conductor("bus", "post", f"message {number} {'x' * 200}", cwd=landed).code == 0
    return landed


def test_segments_that_all_have_read_go_to_the_archive_and_come_back(talkative: Path, layout: Layout) -> None:
    bus = layout.state_dir / "MESSAGE-BUS.md"
    segments = closed_segments(bus)
    assert len(segments) > 3
    before = kit.conductor("bus", "read", "--json", cwd=talkative).document["messages"]
    first = segments[1].path.read_bytes()

    done = of_kind(gc(talkative), "bus segment")

    assert [one["name"] for one in done] == [segment.path.name for segment in segments[:-1]]
    assert closed_segments(bus)[0] == segments[-1]
    verified = kit.conductor("bus", "verify", cwd=talkative)
    assert verified.code == 0, verified
    assert f"{len(done)} older segments are in the archive" in verified.err
    for one in done:
        subprocess.run(["sh", "-c", one["back"]], check=True)
    assert segments[1].path.read_bytes() == first
    after = kit.conductor("bus", "read", "--json", cwd=talkative).document["messages"]
    assert after[: len(before)] == before


def test_a_segment_that_tells_of_a_task_on_record_stays(talkative: Path) -> None:
    tasks.spawn(talkative, "taxes")
    for number in range(10):
        assert kit.conductor("bus", "post", f"message {number} {'x' * 200}", cwd=talkative).code == 0
    done = gc(talkative)
    later = gc(talkative)

    (held,) = [one for one in done["held"] if one["kind"] == "bus segment"]
    assert held["why"] == "it may tell the steps of taxes, whose record is not in the archive"
    assert of_kind(done, "bus segment") != []
    assert of_kind(later, "bus segment") == []
    told = kit.conductor("bus", "read", "--type", "STATE", "--task", "taxes", "--json", cwd=talkative).document
    assert [message["meta"]["step"] for message in told["messages"]] == ["1", "2"]


def test_a_segment_that_a_reader_is_not_past_stays_with_all_that_follow(talkative: Path, layout: Layout) -> None:
    segments = closed_segments(layout.state_dir / "MESSAGE-BUS.md")
    acknowledged = kit.conductor("bus", "ack", segments[2].first_id, "--as", "ada", cwd=talkative)
    assert acknowledged.code == 0, acknowledged

    done = gc(talkative)

    assert len(of_kind(done, "bus segment")) == 2
    assert "ada has not read beyond it" in next(one["why"] for one in done["held"] if one["kind"] == "bus segment")
    assert kit.conductor("bus", "read", "--as", "ada", cwd=talkative).code == 0


def test_the_archive_is_dropped_only_where_somebody_asks(talkative: Path, layout: Layout) -> None:
    gc(talkative, "--keep", "0.001s")
    assert list(layout.archived_tasks.iterdir()) != []
    assert of_kind(gc(talkative, "--drop-archives", "1d"), "archive") == []

    done = of_kind(gc(talkative, "--drop-archives", "0.001s"), "archive")

    assert {one["back"] for one in done} == {None}
    assert [*layout.archived_tasks.iterdir(), *layout.archived_bus.iterdir()] == []
