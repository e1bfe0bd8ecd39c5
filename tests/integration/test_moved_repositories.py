"""A repository that lies elsewhere than before, or that nobody may write: clear words, and nothing lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import kit
from tests.integration import disks
from tests.integration.hard import conducted, handed_in, lands, spawned, whole_way
from tests.kit import tasks

NEW: tasks.Files = {"src/new.py": "NEW = 1\n"}


@pytest.fixture
def home_of(repository: Path) -> Path:
    """The directory that holds a repository and the worktree of its task `prices`, which has unsaved work."""
    home = repository.parent / "home"
    home.mkdir()
    place = repository.rename(home / "acme")
    worktree = spawned(place, "prices")
    tasks.commit(worktree, NEW)
    tasks.write(worktree, {"idea.txt": "idea\n"})
    return home


def bytes_of(worktree: Path) -> dict[str, bytes]:
    return {path.relative_to(worktree).as_posix(): path.read_bytes() for path in worktree.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", ["done", "cancel", "merge"])
def test_after_a_move_every_verb_on_a_task_says_what_to_do_and_changes_nothing(home_of: Path, verb: str) -> None:
    if verb == "merge":
        (home_of / "acme.worktrees/prices/idea.txt").unlink()
        handed_in(home_of / "acme", home_of / "acme.worktrees/prices", "prices")
    moved = home_of.rename(home_of.with_name("moved"))
    worktree = moved / "acme.worktrees/prices"
    before = bytes_of(moved / "acme"), bytes_of(worktree)

    error = tasks.refused(kit.conductor(verb, "prices", "--json", cwd=moved / "acme"), "REPOSITORY_MOVED", 1)

    assert error["hint"] == "conductor-git doctor --fix"
    assert error["was"] == str(home_of / "acme/.git")
    after = bytes_of(moved / "acme"), bytes_of(worktree)
    assert {name for name in before[0] if before[0][name] != after[0].get(name)} == set()
    assert before[1] == after[1]


def test_in_a_worktree_that_was_moved_with_its_repository_the_hint_leads_to_the_doctor(home_of: Path) -> None:
    moved = home_of.rename(home_of.with_name("moved"))

    error = tasks.refused(kit.conductor("done", "--json", cwd=moved / "acme.worktrees/prices"), "BAD_CONTEXT", 1)

    assert error["hint"] == f"cd {moved / 'acme'} && conductor-git doctor --fix"


def test_a_repository_that_was_moved_shows_its_tasks_and_makes_new_ones(home_of: Path) -> None:
    moved = home_of.rename(home_of.with_name("moved"))

    assert [task["task_id"] for task in conducted("status", cwd=moved / "acme")["tasks"]] == ["prices"]
    whole_way(moved / "acme", task_id="fresh")


def test_a_copy_never_reaches_into_the_worktrees_of_the_original(home_of: Path) -> None:
    place, worktree = home_of / "acme", home_of / "acme.worktrees/prices"
    handing = kit.git(worktree, "rev-parse", "HEAD")
    copy = home_of.parent / "copy"
    shutil.copytree(place, copy, symlinks=True)
    before = bytes_of(worktree)

    for words in (["done", "prices"], ["cancel", "prices"], ["retry", "prices", "--reset"]):
        done = kit.conductor(*words, "--json", cwd=copy)
        assert done.document["error"]["code"] in ("REPOSITORY_MOVED", "ILLEGAL_TRANSITION"), done

    error = tasks.refused(kit.conductor("cancel", "prices", "--json", cwd=copy), "REPOSITORY_MOVED", 1)
    assert error["is_copy"]
    assert error["hint"] == "conductor-git doctor"
    assert bytes_of(worktree) == before
    (worktree / "idea.txt").unlink()
    handed_in(place, worktree, "prices")
    lands(place, worktree, "prices")
    assert kit.git(place, "merge-base", "--is-ancestor", handing, "main") == ""


def test_a_copy_on_another_machine_says_that_it_was_moved_or_copied(home_of: Path) -> None:
    """There neither the original nor the worktrees are."""
    copy = home_of.parent / "copy"
    shutil.copytree(home_of / "acme", copy, symlinks=True)
    shutil.rmtree(home_of)

    error = tasks.refused(kit.conductor("cancel", "prices", "--json", cwd=copy), "REPOSITORY_MOVED", 1)

    assert not error["is_copy"]
    assert kit.git(copy, "show", "worker/prices:src/new.py") == "NEW = 1"
    whole_way(copy, task_id="fresh")


@disks.as_root
def test_a_read_only_repository_shows_and_refuses_and_loses_nothing(repository: Path, tmp_path: Path) -> None:
    with disks.small(tmp_path) as disk:
        place = disk / "acme"
        shutil.copytree(repository, place, symlinks=True)
        worktree = spawned(place, "prices")
        tasks.commit(worktree, NEW)
        disks.make_read_only(disk)
        before = bytes_of(disk)

        assert conducted("status", cwd=place)["tasks"]
        conducted("show", "prices", cwd=place)
        for words in (["spawn", "other"], ["done", "prices"], ["cancel", "prices"]):
            error = tasks.refused(kit.conductor(*words, "--json", cwd=place), "STATE_UNWRITABLE", 1)
            assert "ead-only" in error["message"], error

        assert bytes_of(disk) == before
        disks.make_writable(disk)
        handed_in(place, worktree, "prices")
        lands(place, worktree, "prices")
