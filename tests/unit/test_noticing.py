"""The kernel's word about records: none is missed, and what it did not look at may have changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conductor_git.server.noticing import Noticing

pytestmark = pytest.mark.skipif(not Path("/proc/sys/fs/inotify").exists(), reason="inotify is of Linux")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        write(tmp_path / "tasks" / name)
    return tmp_path / "tasks"


@pytest.fixture
def notice(folder: Path) -> Iterator[Noticing]:
    with closing(Noticing(folder)) as made:
        assert made() is None
        assert made() == set()
        yield made


def write(task: Path, text: str = "a\n") -> None:
    task.mkdir(parents=True, exist_ok=True)
    (task / "run-info.yaml").write_text(text)


def replaced(task: Path) -> None:
    (task / "new").write_text("b\n")
    (task / "new").rename(task / "run-info.yaml")


def removed(task: Path) -> None:
    (task / "run-info.yaml").unlink()


def moved_away(task: Path) -> None:
    task.rename(task.parent.parent / "away")


def moved_here(task: Path) -> None:
    write(task.parent.parent / "other", "b\n")
    moved_away(task)
    (task.parent.parent / "other").rename(task)


@pytest.mark.parametrize("change", [write, replaced, removed, moved_away, moved_here])
def test_every_change_of_a_record_is_told_once(notice: Noticing, folder: Path, change: Callable[[Path], None]) -> None:
    change(folder / "one")

    assert notice() == {"one"}
    assert notice() == set()


def test_a_task_that_came_is_told_and_then_its_changes(notice: Noticing, folder: Path) -> None:
    (folder / "three").mkdir()
    assert notice() == {"three"}
    write(folder / "three")
    assert notice() == {"three"}
    moved_here(folder / "three")
    assert notice() == {"three"}
    replaced(folder / "three")
    assert notice() == {"three"}


def test_other_files_of_a_task_are_nobodys_business(notice: Noticing, folder: Path) -> None:
    (folder / "one" / "activity").touch()
    os.utime(folder / "one" / "run-info.yaml")
    (folder / "one" / "prompt.md").write_text("Do it\n")

    assert notice() == set()


def test_more_than_the_kernel_keeps_may_be_anything(notice: Noticing, folder: Path) -> None:
    for _ in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) // 2 + 1):
        (folder / "one" / "x").touch()
        (folder / "one" / "x").unlink()

    assert notice() is None
    assert notice() == set()
    replaced(folder / "one")
    assert notice() == {"one"}


def test_another_folder_in_the_place_of_the_first_is_looked_at_anew(notice: Noticing, folder: Path) -> None:
    folder.parent.rename(folder.parent.with_name("old"))
    assert notice() is None
    write(folder / "one", "new\n")
    assert notice() is None
    assert notice() == set()
    replaced(folder / "one")
    assert notice() == {"one"}


def test_where_a_folder_is_a_link_anything_may_have_changed_each_time(notice: Noticing, folder: Path) -> None:
    write(folder.parent / "elsewhere")
    (folder / "three").symlink_to(folder.parent / "elsewhere")

    assert [notice(), notice()] == [None, None]


def test_where_no_folder_is_yet_it_begins_once_there_is_one(tmp_path: Path) -> None:
    with closing(Noticing(tmp_path / "tasks")) as notice:
        assert [notice(), notice()] == [None, None]
        write(tmp_path / "tasks" / "one")
        assert [notice(), notice()] == [None, set()]


def test_a_closed_one_gives_back_its_watches_and_tells_nothing(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    notice = Noticing(folder)
    notice()
    notice.close()

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert notice() is None
