"""A record that cannot be read is one row that says so: no other task's command minds, and the file stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks

BOMB = "version: 1\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"


def text(content: str | bytes) -> Callable[[Path], None]:
    def damage(record: Path) -> None:
        record.write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def edited(old: str, new: str) -> Callable[[Path], None]:
    def damage(record: Path) -> None:
        before = record.read_text()
        record.write_text(before.replace(old, new, 1))
        assert record.read_text() != before

    return damage


def torn(record: Path) -> None:
    record.write_bytes(record.read_bytes()[:200])


def link(record: Path) -> None:
    elsewhere = record.parents[3] / "elsewhere.yaml"
    record.rename(elsewhere)
    record.symlink_to(elsewhere)


def of_another_task(record: Path) -> None:
    record.write_bytes((record.parents[1] / "good" / record.name).read_bytes())


DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": text(""),
    "no yaml": text("{ this is : [ no yaml\n"),
    "no utf-8": text(b"version: 1\ntitle: \xff\xfe\n"),
    "nul bytes": text(b"\0" * 512),
    "a list": text("- version: 1\n"),
    "a bomb": text(BOMB),
    "deep": text("a: " + "[" * 200 + "]" * 200 + "\n"),
    "large": text("version: 1\ntitle: " + "x" * 70_000 + "\n"),
    "torn": torn,
    "a link": link,
    "of another task": of_another_task,
    "a newer version": edited("version: 1\n", "version: 2\n"),
    "an unknown state": edited("state: WORKING\n", "state: DREAMING\n"),
    "a number that is none": edited("generation: 1\n", "generation: one\n"),
    "a commit that is none": edited("base_commit: ", "base_commit: HEAD-"),
    "a key twice": edited("version: 1\n", "version: 1\nversion: 1\n"),
    "a need that is no id": edited("needs: []\n", "needs: ['--x']\n"),
    "a step that is none": edited("history:\n- ", "history:\n- spawn\n- "),
    "a missing key": edited("branch: ", "brunch: "),
    "a list for a value": edited("title: bad\n", "title: [bad]\n"),
}


@pytest.fixture
def three(repository: Path) -> Path:
    for task_id in ("bad", "good", "other"):
        tasks.commit(tasks.spawn(repository, task_id), {f"{task_id}.txt": "work\n"})
    return repository


def record_of(repository: Path) -> Path:
    return repository / ".git" / "conductor" / "tasks" / "bad" / "run-info.yaml"


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_bad_record_is_one_row_and_every_other_task_goes_on(three: Path, damage: Callable[[Path], None]) -> None:
    damage(record_of(three))
    before = traces(three)

    listed = kit.conductor("status", "--json", cwd=three)
    told = kit.conductor("status", cwd=three)

    assert (listed.code, told.code) == (0, 0), (listed, told)
    rows = {row["task_id"]: row for row in listed.document["tasks"]}
    assert rows.keys() == {"bad", "good", "other"}
    assert rows["bad"]["error"]["code"] == "BAD_RECORD"
    assert rows["bad"]["error"]["path"] == str(record_of(three))
    assert rows["good"]["state"] == rows["other"]["state"] == "WORKING"
    assert [line.split()[0] for line in told.out.splitlines()] == ["TASK", "bad", "good", "other"]
    assert "UNREADABLE" in told.out
    assert str(record_of(three)) in told.err
    assert traces(three) == before

    assert kit.conductor("done", "good", cwd=three).code == 0
    assert kit.conductor("spawn", "new", cwd=three).code == 0


@pytest.mark.parametrize("damage", [DAMAGE["no yaml"], DAMAGE["a link"]], ids=["no yaml", "a link"])
def test_every_command_on_a_task_with_a_bad_record_refuses_and_leaves_it_alone(
    three: Path, damage: Callable[[Path], None]
) -> None:
    damage(record_of(three))
    before = traces(three)

    for command in ("show", "start", "done", "approve", "request-changes", "merge", "cancel", "fail", "retry", "stop"):
        error = tasks.refused(kit.conductor(command, "bad", "--json", cwd=three), "BAD_RECORD", 1)
        assert error["task_id"] == "bad"
    tasks.refused(kit.conductor("log", "bad", "--json", cwd=three), "BAD_RECORD", 1)
    tasks.refused(kit.conductor("diff", "bad", "--json", cwd=three), "BAD_RECORD", 1)
    tasks.refused(kit.conductor("spawn", "bad", "--json", cwd=three), "TASK_EXISTS", 1)

    assert traces(three) == before


def test_the_place_in_the_file_is_named(three: Path) -> None:
    edited("title: bad\n", "title: {bad\n")(record_of(three))

    error = tasks.refused(kit.conductor("show", "bad", "--json", cwd=three), "BAD_RECORD", 1)

    assert f"{record_of(three)}: line " in error["message"]
    assert "column" in error["message"]


def test_a_folder_without_a_record_is_no_task(three: Path) -> None:
    record_of(three).unlink()

    rows = kit.conductor("status", "--json", cwd=three).document["tasks"]

    assert [row["task_id"] for row in rows] == ["good", "other"]
    tasks.refused(kit.conductor("show", "bad", "--json", cwd=three), "NOT_FOUND", 18)


@pytest.mark.parametrize("content", [b"", b"version: one\n", b"\xff\0"], ids=["empty", "typed wrongly", "no text"])
def test_a_bad_review_breaks_the_review_of_its_own_task_only(repository: Path, content: bytes) -> None:
    for task_id in ("bad", "good"):
        tasks.commit(tasks.spawn(repository, task_id), {f"{task_id}.txt": "work\n"})
        tasks.hand_in(repository, task_id)
    tasks.approve(repository, "bad")
    review = repository / ".git" / "conductor" / "tasks" / "bad" / "reviews" / "1.yaml"
    review.write_bytes(content)

    error = tasks.refused(tasks.merge(repository, "bad"), "BAD_RECORD", 1)

    assert error["path"] == str(review)
    assert review.read_bytes() == content
    assert kit.conductor("status", cwd=repository).code == 0
    assert kit.conductor("approve", "good", cwd=repository).code == 0


def test_an_operation_that_cannot_be_mended_breaks_no_other_task(three: Path) -> None:
    journal = three / ".git" / "conductor" / "journal"
    (journal / "bad.json").write_text("no json at all")
    (journal / "other.json").symlink_to(three / "README.md")

    assert kit.conductor("status", cwd=three).code == 0
    assert kit.conductor("done", "good", cwd=three).code == 0
