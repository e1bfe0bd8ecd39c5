"""doctor --fix lands nothing by the way: what it makes again never needs less, and counts as no more, than before."""

from __future__ import annotations

import shutil
from pathlib import Path

from conductor_git.actor import Actor
from conductor_git.layout import Layout
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.run import utcnow
from conductor_git.workflow.review import approve
from tests import kit
from tests.integration.ailing import codes, doctor, mended, record_of
from tests.kit import tasks

SECOND = Actor("grace")


def reviews_of(repository: Path) -> Path:
    return Layout(repository / ".git").tasks / "prices" / "reviews"


def second_approval(repository: Path) -> None:
    approve(open_project(repository), parse_task_id("prices"), by=SECOND, at=utcnow())


def asks_for(repository: Path, text: str) -> None:
    tasks.commit(repository, {".conductor.yaml": text})


def cut_after(repository: Path, text: bytes) -> None:
    data = record_of(repository).read_bytes()
    record_of(repository).write_bytes(data[: data.index(text) + len(text)])


def test_a_rebuilt_record_needs_as_many_approvals_and_tasks_as_it_was_spawned_with(repository: Path) -> None:
    tasks.spawn(repository, "search")
    tasks.spawn(repository, "prices", reviews_required=12, needs=(parse_task_id("search"),))
    record_of(repository).unlink()
    mended(repository, "TASK_WITHOUT_RECORD")

    run = tasks.record(repository, "prices")
    assert (run.reviews_required, run.needs) == (12, ("search",))

    cut_after(repository, b"reviews_required: 1")
    mended(repository, "BAD_RECORD")
    assert tasks.record(repository, "prices").reviews_required == 12


def test_what_nothing_says_is_as_the_config_has_it(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    asks_for(repository, "reviews_required: 3\n")
    record_of(repository).unlink()

    mended(repository, "TASK_WITHOUT_RECORD")

    assert tasks.record(repository, "prices").reviews_required == 3


def test_where_the_config_cannot_be_read_either_it_is_two_and_no_fewer_than_others_need(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    tasks.write(repository, {".conductor.yaml": "targt: main\n"})
    record_of(repository).unlink()
    assert codes(doctor(repository, "--fix")) == ["BAD_CONFIG"]
    assert tasks.record(repository, "prices").reviews_required == 2

    (repository / ".conductor.yaml").unlink()
    tasks.spawn(repository, "search", reviews_required=4)
    tasks.write(repository, {".conductor.yaml": "targt: main\n"})
    record_of(repository).unlink()
    assert codes(doctor(repository, "--fix")) == ["BAD_CONFIG"]
    assert tasks.record(repository, "prices").reviews_required == 4


def test_a_line_that_was_cut_says_nothing(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    text = record_of(repository).read_text()
    record_of(repository).write_text(text.replace("reviews_required: 1\n", "reviews_required: 25\n"))
    cut_after(repository, b"reviews_required: 2")
    asks_for(repository, "reviews_required: 3\n")

    mended(repository, "BAD_RECORD")

    assert tasks.record(repository, "prices").reviews_required == 3


def test_a_rebuilt_record_is_approved_only_by_the_reviews_that_it_needs(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    asks_for(repository, "reviews_required: 2\n")
    record_of(repository).unlink()
    assert codes(doctor(repository)) == ["TASK_WITHOUT_RECORD"]

    done = doctor(repository, "--fix")

    assert [one["code"] for one in done["mended"]] == ["TASK_WITHOUT_RECORD", "APPROVAL_MISSING"]
    assert done["findings"] == doctor(repository)["findings"] == []
    run = tasks.record(repository, "prices")
    assert (run.state, run.approved_commit, run.history[-1].by) == ("IN_REVIEW", None, "doctor")
    assert "APPROVED → IN_REVIEW" in tasks.told(repository, "STATE", "prices")[-1]
    assert tasks.merge(repository, "prices").code != 0
    second_approval(repository)
    tasks.landed(tasks.merge(repository, "prices"))


def test_what_no_review_approves_goes_back_into_review(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    shutil.rmtree(reviews_of(repository))

    mended(repository, "APPROVAL_MISSING")

    assert tasks.record(repository, "prices").state == "IN_REVIEW"
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices"))


def test_a_review_that_cannot_be_read_may_have_been_a_no_so_all_start_anew(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    second_approval(repository)
    (reviews_of(repository) / "2.yaml").write_text("verdict: [\n")
    assert tasks.merge(repository, "prices").code != 0
    assert codes(doctor(repository)) == ["REVIEW_UNREADABLE"]

    done = doctor(repository, "--fix")

    assert [one["code"] for one in done["mended"]] == ["REVIEW_UNREADABLE", "APPROVAL_MISSING"]
    assert done["findings"] == doctor(repository)["findings"] == []
    assert len(list(Layout(repository / ".git").quarantine.glob("prices.reviews.*/*.yaml"))) == 2
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices"))


def test_reviews_that_are_no_folder_are_told(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    reviews_of(repository).write_text("")

    mended(repository, "REVIEW_UNREADABLE")

    assert kit.conductor("show", "prices", cwd=repository).code == 0


def test_a_copied_task_folder_becomes_no_second_task_on_the_same_worktree(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    folder = Layout(repository / ".git").tasks / "prices"
    shutil.copytree(folder, folder.with_name("prices.bak"))

    (done,) = mended(repository, "BAD_RECORD")["mended"]

    assert "has all that there was of it" in done["done"]
    assert kit.conductor("ctx", "--field", "task_id", cwd=worktree).out == "prices\n"
    folder.rename(folder.with_name("prices.old"))
    mended(repository, "BAD_RECORD", "WORKTREE_WITHOUT_RECORD")
    assert tasks.record(repository, "prices").worktree == str(worktree)


def test_a_damaged_record_stays_where_none_can_be_written(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    record = record_of(repository)
    record.write_text("reviews_required: 3\n")
    lock = record.with_name(f"{record.name}.lock")
    lock.unlink()
    lock.mkdir()

    done = doctor(repository, "--fix")

    assert [bool(one["refused"]) for one in done["mended"]] == [True]
    assert record.read_text() == "reviews_required: 3\n"
    lock.rmdir()
    mended(repository, "BAD_RECORD")
    assert tasks.record(repository, "prices").reviews_required == 3
