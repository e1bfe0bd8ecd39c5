"""gc: records and segments of the bus go to the archive, whole, and are dropped only where somebody asks for it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conductor_git import journal
from conductor_git.bus.file import FileBus
from conductor_git.bus.segments.listing import closed_segments
from conductor_git.layout import Layout
from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.project import Project, open_project
from conductor_git.run import utcnow
from conductor_git.workflow.leftovers import segments as of_bus
from conductor_git.workflow.leftovers.archive import holds, pack_folders
from conductor_git.workflow.leftovers.kind import IN_USE, Since
from tests import kit
from tests.kit import tasks

CONFIG = "gc: {records: 0.001s, segments: 0.001s}\nbus: {segment_bytes: 1024}\n"


def gc(repository: Path, *options: str) -> Any:
    done = kit.conductor("gc", "--json", "--yes", *options, cwd=repository)
    assert done.code == 0, done
    return done.document


def of_kind(document: Any, kind: str) -> list[Any]:
    return [one for one in document["leftovers"] if one["kind"] == kind]


def post(repository: Path, count: int) -> None:
    bus = FileBus(Layout(repository / ".git").state_dir / "MESSAGE-BUS.md", segment_bytes=1024)
    for number in range(count):
        bus.append(Message(type="FACT", body=f"message {number} {'x' * 200}"))


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
    for asking in (("show", "prices"), ("restore", "prices"), ("retry", "prices"), ("spawn", "x", "--needs", "prices")):
        said = tasks.refused(kit.conductor(*asking, "--json", cwd=landed), "NOT_FOUND", 18)
        assert said["hint"] == record["back"]
    subprocess.run(["sh", "-c", record["back"]], check=True)
    assert bytes_in(layout.tasks / "prices") == before
    assert bytes_in(layout.landings) == landings
    assert tasks.record(landed, "prices").state == "COMPLETED"


def test_a_record_comes_back_beside_the_logs_that_a_killed_gc_left(
    landed: Path, layout: Layout, tmp_path: Path
) -> None:
    before = bytes_in(layout.state_dir / "tasks"), bytes_in(layout.landings)
    shutil.copytree(layout.landings, tmp_path / "landings")
    gc(landed)
    shutil.copytree(tmp_path / "landings", layout.landings, dirs_exist_ok=True)

    (listed,) = kit.conductor("restore", "--json", cwd=landed).document["archived"]
    done = subprocess.run(["sh", "-c", listed["back"]], check=False, capture_output=True)

    assert (done.returncode, done.stderr) == (0, b"")
    assert (bytes_in(layout.tasks), bytes_in(layout.landings)) == before


def test_a_record_that_somebody_needs_stays(landed: Path) -> None:
    tasks.spawn(landed, "taxes", needs=("prices",))

    done = gc(landed)

    assert of_kind(done, "record") == []
    held = {one["name"]: one["why"] for one in done["held"] if one["kind"] == "record"}
    assert held == {"prices": "taxes names it"}


def test_no_record_goes_while_a_command_may_be_about_to_name_it(landed: Path, layout: Layout) -> None:
    with journal.operation(layout, TaskId("taxes"), "spawn"):
        left = gc(landed)["left"]

    assert [(one["name"], one["why"]) for one in left] == [("prices", IN_USE)]
    assert (layout.tasks / "prices").is_dir()


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


def test_the_id_of_an_archived_task_is_free_and_unpacking_joins_nothing(landed: Path, layout: Layout) -> None:
    (record,) = of_kind(gc(landed), "record")
    tasks.spawn(landed, "prices")
    before = bytes_in(layout.tasks)

    assert subprocess.run(["sh", "-c", record["back"]], check=False).returncode == 1

    assert bytes_in(layout.tasks) == before


def test_what_a_killed_gc_left_in_the_archive_goes_with_the_next(landed: Path, layout: Layout) -> None:
    gc(landed)
    (whole,) = layout.archived_tasks.iterdir()
    tasks.write(layout.archive, {"gone-tasks-prices/run-info.yaml": "x", "bus/.x.gz.7.part": "x"})
    tasks.write(layout.archived_tasks, {f".{whole.name}.7.part": "x"})

    done = of_kind(gc(landed), "scratch")

    assert {one["name"] for one in done} == {".x.gz.7.part", f".{whole.name}.7.part", "gone-tasks-prices"}
    assert {path.suffix for path in layout.archive.rglob("*") if path.is_file()} == {".gz"}
    assert [*layout.archived_tasks.iterdir()] == [whole]


@pytest.fixture
def talkative(landed: Path) -> Path:
    gc(landed)  # takes the record
    post(landed, 20)
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


def test_a_segment_that_another_puts_into_the_archive_meanwhile_is_passed_over(
    talkative: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = closed_segments(layout.state_dir / "MESSAGE-BUS.md")

    def meanwhile(_: Project) -> None:
        first.path.unlink(missing_ok=True)

    monkeypatch.setattr(of_bus, "_oldest", meanwhile)
    now = utcnow()
    found = of_bus.SEGMENTS.find(open_project(talkative), Since(now, now))

    assert [one.name for one in found.leftovers] == [one.path.name for one in others[:-1]]


def test_a_segment_that_tells_of_a_task_on_record_stays(talkative: Path) -> None:
    tasks.spawn(talkative, "taxes")
    post(talkative, 10)
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


def test_what_was_packed_is_read_to_its_last_byte_before_anything_goes(tmp_path: Path) -> None:
    tasks.write(tmp_path, {"top/a/one.txt": "x" * 5000})
    pack_folders(tmp_path / "top", ["a"], tmp_path / "archive" / "a.tar.gz")
    whole = (tmp_path / "archive" / "a.tar.gz").read_bytes()
    wanted = {"a/one.txt": 5000}
    part = tmp_path / "part"

    for damaged in (whole[:-6] + b"\0" + whole[-5:], whole[:-1], whole[: len(whole) // 2], b""):
        part.write_bytes(damaged)
        assert not holds(part, wanted)
    part.write_bytes(whole)
    assert holds(part, wanted)
    assert not holds(part, {"a/one.txt": 5001})
