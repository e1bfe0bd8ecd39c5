"""doctor on a project whose place changed: moved, renamed, copied, or read-only; and on worktrees that went."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from conductor_git.layout import Layout
from tests import kit
from tests.integration.ailing import codes, doctor, is_as_it_was, mended, record_of
from tests.integration.disks import as_root, make_read_only, make_writable, small
from tests.kit import tasks


@pytest.fixture
def worker(repository: Path) -> Path:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"idea.txt": "idea\n"})
    return worktree


def goes_on(repository: Path, worktree: Path) -> None:
    """The task lands from where it is now."""
    (worktree / "idea.txt").unlink()
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices"))


def test_a_repository_moved_with_its_worktrees_goes_on(repository: Path, worker: Path, tmp_path: Path) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    (tmp_path / "else").mkdir()
    moved = tmp_path / "else" / "acme"
    shutil.move(repository, moved)
    shutil.move(worker.parent, tmp_path / "else" / "acme.worktrees")
    there = tmp_path / "else" / "acme.worktrees" / "prices"

    mended(moved, "MOVED")

    is_as_it_was(moved, there, tip)
    goes_on(moved, there)


def test_a_repository_renamed_beside_its_worktrees_goes_on(repository: Path, worker: Path, tmp_path: Path) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    renamed = repository.rename(tmp_path / "shop")

    mended(renamed, "MOVED")

    is_as_it_was(renamed, worker, tip)


def test_a_repository_and_its_worktrees_both_renamed_go_on(repository: Path, worker: Path, tmp_path: Path) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    renamed = repository.rename(tmp_path / "shop")
    worker.parent.rename(tmp_path / "shop.worktrees")
    there = tmp_path / "shop.worktrees" / "prices"

    mended(renamed, "MOVED")

    is_as_it_was(renamed, there, tip)


def test_a_worktree_that_git_moved_is_followed(repository: Path, worker: Path, tmp_path: Path) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    kit.git(repository, "worktree", "move", str(worker), str(tmp_path / "there"))

    mended(repository, "MOVED")

    is_as_it_was(repository, tmp_path / "there", tip)


def test_the_copy_of_a_repository_takes_nothing_from_the_original(
    repository: Path, worker: Path, tmp_path: Path
) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    copy = tmp_path / "copy" / "acme"
    shutil.copytree(repository, copy, symlinks=True)
    shutil.copytree(worker.parent, tmp_path / "copy" / "acme.worktrees", symlinks=True)

    found = doctor(copy, "--fix")

    assert "COPIED" in codes(found)
    is_as_it_was(repository, worker, tip)
    assert doctor(repository)["findings"] == []
    command = next(one["command"] for one in found["findings"] if one["code"] == "COPIED")
    kit.conductor("status", cwd=repository)
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    assert doctor(copy)["findings"] == []
    is_as_it_was(repository, worker, tip)


@as_root
def test_a_read_only_repository_is_looked_at_and_not_written(repository: Path, worker: Path, tmp_path: Path) -> None:
    with small(tmp_path) as disk:
        shutil.move(worker.parent, disk / "acme.worktrees")
        shutil.move(repository, disk / "acme")
        doctor(disk / "acme", "--fix")
        make_read_only(disk)
        try:
            found, fixed = doctor(disk / "acme"), kit.conductor("doctor", "--fix", "--json", cwd=disk / "acme")
        finally:
            make_writable(disk)

    assert {"READ_ONLY", "LOW_SPACE"} <= set(codes(found))
    tasks.refused(fixed, "STATE_UNWRITABLE", 1)


@as_root
def test_a_read_only_repository_that_no_command_has_written_yet_is_told_too(repository: Path, tmp_path: Path) -> None:
    with small(tmp_path) as disk:
        shutil.move(repository, disk / "acme")
        make_read_only(disk)
        try:
            found, begun = doctor(disk / "acme"), kit.conductor("init", "--yes", "--json", cwd=disk / "acme")
        finally:
            make_writable(disk)

    assert "READ_ONLY" in codes(found)
    tasks.refused(begun, "STATE_UNWRITABLE", 1)
    assert begun.document["error"]["hint"] == f"ls -ld {disk / 'acme' / '.git'}", "the nearest that is there"


def test_a_worktree_that_was_deleted_comes_back(repository: Path, worker: Path) -> None:
    tip = kit.git(worker, "rev-parse", "HEAD")
    shutil.rmtree(worker)

    mended(repository, "WORKTREE_GONE")

    assert kit.git(worker, "rev-parse", "HEAD", "worker/prices").split() == [tip, tip]
    assert kit.conductor("ctx", "--field", "task_id", cwd=worker).out == "prices\n"


def test_the_entry_of_an_ended_worktree_goes_and_its_detached_head_is_kept(repository: Path, worker: Path) -> None:
    kit.git(worker, "switch", "--quiet", "--detach")
    loose = tasks.commit(worker, {"src/loose.py": "LOOSE = 1\n"})
    kit.conductor("cancel", "prices", cwd=repository)
    shutil.rmtree(worker)

    mended(repository, "REGISTRATION_LEFT")

    kit.git(repository, "reflog", "expire", "--expire=now", "--all")
    kit.git(repository, "gc", "--quiet", "--prune=now")
    assert loose in kit.git(repository, "for-each-ref", "--format=%(objectname)", "refs/conductor/salvage/")


def test_a_locked_entry_stays_and_how_to_unlock_it_is_told(repository: Path, worker: Path) -> None:
    kit.git(repository, "worktree", "lock", str(worker))
    kit.conductor("cancel", "prices", cwd=repository)
    shutil.rmtree(worker)

    found = doctor(repository, "--fix")

    assert [one["command"] for one in found["findings"]] == [f"git worktree unlock {worker}"]
    kit.git(repository, *found["findings"][0]["command"].split()[1:])
    mended(repository, "REGISTRATION_LEFT")


def test_a_folder_that_is_nobodys_is_a_note_and_stays(repository: Path, worker: Path) -> None:
    tasks.write(worker.parent / "mine", {"notes.txt": "mine\n"})

    found = doctor(repository, "--fix")

    assert (found["healthy"], codes(found)) == (True, ["ORPHAN_FOLDER"])
    assert (worker.parent / "mine" / "notes.txt").exists()


def test_a_repository_of_a_workers_own_in_the_place_of_its_git_file_is_left_alone(
    repository: Path, worker: Path
) -> None:
    (worker / ".git").unlink()
    kit.git(worker, "init", "--quiet")

    found = doctor(repository, "--fix")

    assert codes(found) == ["GIT_FILE_CHANGED"]
    assert (worker / ".git" / "HEAD").is_file()


@pytest.mark.parametrize("ended", [False, True])
def test_what_was_staged_in_a_worktree_that_is_gone_is_kept(repository: Path, worker: Path, ended: bool) -> None:
    kit.git(worker, "add", "idea.txt")
    shutil.rmtree(worker)
    if ended:
        text = record_of(repository).read_text().replace("state: WORKING\n", "state: CANCELLED\n")
        record_of(repository).write_text(text.replace("event: start\n", "event: cancel\n"))
        bus = Layout(repository / ".git").state_dir / "MESSAGE-BUS.md"
        bus.unlink()

    done = doctor(repository, "--fix")

    assert done["findings"] == []
    assert ("REGISTRATION_LEFT" if ended else "WORKTREE_GONE") in [one["code"] for one in done["mended"]]
    ref = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/prices/")
    assert kit.git(repository, "show", f"{ref}:idea.txt") == "idea"


@pytest.mark.parametrize(
    ("name", "command"),
    [("journal", "doctor --fix"), ("tasks", "doctor"), ("tasks", "status"), ("locks", "spawn pears")],
)
def test_a_file_in_the_place_of_a_directory_of_ours_is_told_and_stays(
    repository: Path, worker: Path, name: str, command: str
) -> None:
    place = Layout(repository / ".git").state_dir / name
    place.rename(place.with_name("aside"))
    place.write_text("somebody's\n")

    done = kit.conductor(*command.split(), "--json", cwd=repository)

    error = tasks.refused(done, "STATE_UNWRITABLE", 1)
    assert error["message"] == f"{place} is no directory, and one has to be there"
    assert error["hint"] == f"ls -ld {place}"
    assert place.read_text() == "somebody's\n"
    place.unlink()
    place.with_name("aside").rename(place)
    goes_on(repository, worker)
