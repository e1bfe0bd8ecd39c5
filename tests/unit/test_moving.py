"""The kernel's word about branches: no move is missed, and what it cannot tell of may have moved."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from conductor_git.errors import GitFailed
from conductor_git.project import Project, open_project
from conductor_git.server.moving import Moving
from conductor_git.store.remembering import RememberingRuns
from conductor_git.workflow import looking
from conductor_git.workflow.looking.tips import every, tips
from tests import kit
from tests.kit import tasks

pytestmark = pytest.mark.skipif(not Path("/proc/sys/fs/inotify").exists(), reason="inotify is of Linux")

MAIN = "refs/heads/main"


@pytest.fixture
def common(repository: Path) -> Path:
    kit.git(repository, "branch", "packed")
    kit.git(repository, "pack-refs", "--all")
    kit.git(repository, "branch", "worker/one")
    return repository / ".git"


@pytest.fixture
def moved(common: Path) -> Iterator[Moving]:
    with closing(Moving(common)) as made:
        assert [made(), made()] == [True, False]
        yield made


def committed(common: Path) -> None:
    tasks.commit(common.parent, {"more.txt": "1\n"})


def made_in_a_new_folder(common: Path) -> None:
    kit.git(common.parent, "branch", "another/deep/one")


def deleted(common: Path) -> None:
    kit.git(common.parent, "branch", "-D", "worker/one")


def packed_one_deleted(common: Path) -> None:
    kit.git(common.parent, "update-ref", "-d", "refs/heads/packed")


def packed(common: Path) -> None:
    kit.git(common.parent, "pack-refs", "--all")


def written_in_place(common: Path) -> None:
    with (common / "refs/heads/worker/one").open("r+") as file:
        file.write("0" * 40)


def folder_replaced(common: Path) -> None:
    shutil.copytree(common / "refs/heads", common / "copy")
    (common / "refs/heads").rename(common / "refs/old")
    (common / "copy").rename(common / "refs/heads")


def refs_replaced(common: Path) -> None:
    shutil.copytree(common / "refs", common / "copy")
    (common / "refs").rename(common / "old")
    (common / "copy").rename(common / "refs")


def repository_replaced(common: Path) -> None:
    shutil.copytree(common, common.with_name("copy"))
    common.rename(common.with_name("old"))
    common.with_name("copy").rename(common)


MOVES = [
    committed,
    made_in_a_new_folder,
    deleted,
    packed_one_deleted,
    packed,
    written_in_place,
    folder_replaced,
    refs_replaced,
    repository_replaced,
]


@pytest.mark.parametrize("move", MOVES)
def test_every_move_is_told_and_so_is_the_next_one(moved: Moving, common: Path, move: Callable[[Path], None]) -> None:
    move(common)

    assert moved()
    assert not moved()
    committed(common)
    assert moved()
    kit.git(common.parent, "branch", "yet/another/one")
    assert moved()


def test_what_moves_no_branch_is_nobodys_business(moved: Moving, common: Path) -> None:
    kit.git(common.parent, "tag", "v1")
    kit.git(common.parent, "update-ref", "refs/remotes/there/main", "main")
    (common.parent / "more.txt").write_text("1\n")
    kit.git(common.parent, "add", "more.txt")
    (common / "refs" / "heads" / "worker" / "one.lock").touch()

    assert not moved()


def test_more_than_the_kernel_keeps_may_be_anything(moved: Moving, common: Path) -> None:
    for _ in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) // 2 + 1):
        (common / "x").touch()
        (common / "x").unlink()

    assert [moved(), moved()] == [True, False]
    committed(common)
    assert moved()


def linked(common: Path) -> None:
    (common / "refs/heads/two").symlink_to(common / "elsewhere")


def linked_folder(common: Path) -> None:
    (common / "refs/heads/more").symlink_to(common)


def in_a_reftable(common: Path) -> None:
    (common / "reftable").mkdir()


@pytest.mark.parametrize("odd", [linked, linked_folder, in_a_reftable])
def test_where_the_kernel_cannot_tell_anything_may_have_moved_each_time(
    moved: Moving, common: Path, odd: Callable[[Path], None]
) -> None:
    odd(common)

    assert [moved(), moved(), moved()] == [True, True, True]
    with closing(Moving(common)) as later:
        assert [later(), later()] == [True, True]


def test_a_repository_that_is_gone_may_be_anything_and_one_that_comes_is_told_of(common: Path, moved: Moving) -> None:
    common.rename(common.with_name("old"))
    assert [moved(), moved()] == [True, True]
    common.with_name("old").rename(common)
    assert [moved(), moved()] == [True, False]


def test_a_closed_one_gives_back_its_watches_and_tells_nothing(common: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    moved = Moving(common)
    moved()
    moved.close()

    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert [moved(), moved()] == [True, True]


@pytest.fixture
def project(common: Path) -> Iterator[Project]:
    """As a server has it."""
    opened = open_project(common.parent)
    with closing(Moving(common)) as made:
        yield replace(opened, runs=RememberingRuns(opened.layout), has_moved=made)


@pytest.mark.parametrize("move", MOVES)
def test_tips_are_the_same_object_until_a_branch_moves(
    project: Project, common: Path, move: Callable[[Path], None]
) -> None:
    for change in (move, committed):
        before = every(project)
        assert every(project) is before
        assert tips(project, [MAIN, "refs/heads/nobody"]) == {MAIN: before[MAIN]}
        change(common)
        listing = kit.git(common.parent, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/")
        assert every(project) == dict(line.split() for line in listing.splitlines())


def test_where_files_look_the_same_after_a_move_git_is_asked(
    project: Project, common: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that counts in two seconds."""
    looks = looking.tips._stamp(str(common))  # noqa: SLF001 - what all looks are to be
    monkeypatch.setattr(looking.tips, "_stamp", lambda _: looks)
    every(project)
    committed(common)

    assert every(project)[MAIN] == kit.git(common.parent, "rev-parse", "main")


def test_a_branch_that_is_another_name_for_what_is_none_is_asked_each_time(project: Project) -> None:
    kit.git(project.repository, "update-ref", "refs/remotes/there/main", "main")
    kit.git(project.repository, "symbolic-ref", "refs/heads/alias", "refs/remotes/there/main")
    every(project)
    kit.git(project.repository, "update-ref", "refs/remotes/there/main", "main~1")

    assert every(project)["refs/heads/alias"] == kit.git(project.repository, "rev-parse", "main~1")


def test_a_look_that_failed_loses_no_move(
    project: Project, common: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    every(project)
    committed(common)
    with monkeypatch.context() as broken:
        broken.setenv("PATH", str(tmp_path))
        with pytest.raises(GitFailed):
            every(project)

    assert every(project)[MAIN] == kit.git(common.parent, "rev-parse", "main")
