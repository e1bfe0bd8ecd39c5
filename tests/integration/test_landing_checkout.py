"""A landing and the checkouts of people: not a byte of them changes, but for the fast-forward of one on the target."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from conductor_git.landing.checkout import Checkout, mend
from conductor_git.names import CommitId
from conductor_git.project import open_project
from tests import kit
from tests.kit import tasks

OLD = "PRICES = {\n    'apple': 3,\n    'pear': 4,\n}\n"
NEW = OLD.replace("3", "30")


def make_dirty(checkout: Path) -> None:
    """Leave in it every kind of unfinished work."""
    kit.git(checkout, "mv", "run.sh", "go.sh")
    (checkout / "docs/how to run.md").unlink()
    tasks.write(
        checkout,
        {
            "README.md": b"half a\r\nthought \xff",
            "src/main.py": "staged\n",
            "idea.txt": "untracked\n",
            "debug.log": "ignored\n",
            "build/out.bin": b"\0\1",
        },
    )
    kit.git(checkout, "add", "src/main.py")
    tasks.write(checkout, {"src/main.py": "staged, then changed again\n"})
    (checkout / "link").symlink_to("nowhere")
    (checkout / "idea.txt").chmod(0o755)


def on_another_branch(repository: Path) -> None:
    kit.git(repository, "switch", "--quiet", "-c", "mine")


def on_a_detached_head(repository: Path) -> None:
    kit.git(repository, "switch", "--quiet", "--detach")


@pytest.mark.parametrize("leave", [on_another_branch, on_a_detached_head])
def test_a_dirty_checkout_that_is_not_on_the_target_is_identical_after_the_landing(
    repository: Path, leave: Callable[[Path], None]
) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW, "README.md": "# Other\n", "idea.txt": "theirs\n"})
    tasks.commit(repository, {"src/other.py": "OTHER = 1\n"})
    leave(repository)
    make_dirty(repository)
    before = kit.snapshot(repository)

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert kit.snapshot(repository) == before
    assert kit.git(repository, "rev-parse", "main") == landed["task"]["merge_commit"]
    assert kit.git(repository, "show", "main:src/prices.py") + "\n" == NEW


def test_it_is_identical_also_in_the_middle_of_the_persons_own_merge_with_a_stash_kept(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.write(repository, {"README.md": "for later\n"})
    kit.git(repository, "stash", "push", "--quiet")
    kit.git(repository, "switch", "--quiet", "-c", "mine", "main~1")
    tasks.commit(repository, {"run.sh": "#!/bin/sh\n"})
    kit.git(repository, "merge", "main", ok=(1,))
    before = kit.snapshot(repository)
    assert before.under_way
    assert before.stashes

    tasks.landed(tasks.merge(repository, "prices"))

    assert kit.snapshot(repository) == before


@pytest.mark.parametrize("failing", [False, True], ids=["landed", "conflict"])
def test_other_worktrees_of_people_and_workers_are_identical_whatever_comes_of_the_landing(
    repository: Path, tmp_path: Path, failing: bool
) -> None:
    persons = tmp_path / "persons"
    kit.git(repository, "worktree", "add", "--quiet", "-b", "mine", str(persons))
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    other = tasks.spawn(repository, "other")
    if failing:
        tasks.commit(repository, {"src/prices.py": OLD.replace("3", "33")})
    for checkout in (persons, other):
        make_dirty(checkout)
    before = [kit.snapshot(checkout) for checkout in (persons, other)]

    done = tasks.merge(repository, "prices")

    assert done.code == (13 if failing else 0)
    assert [kit.snapshot(checkout) for checkout in (persons, other)] == before


def test_a_refused_landing_leaves_a_clean_checkout_of_the_target_identical(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})
    tasks.commit(repository, {"src/prices.py": OLD.replace("3", "33")})
    before = kit.snapshot(repository)

    tasks.refused(tasks.merge(repository, "prices"), "CONFLICT", 13)

    assert kit.snapshot(repository) == before


def test_a_checkout_of_the_target_goes_forward_and_unrelated_work_survives_byte_for_byte(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW, "src/new.py": "NEW = 1\n"})
    make_dirty(repository)
    before = kit.snapshot(repository)
    status = kit.git(repository, "status", "--porcelain")

    landed = tasks.landed(tasks.merge(repository, "prices"))

    after = kit.snapshot(repository)
    assert after.tip == landed["task"]["merge_commit"]
    assert (after.head, after.under_way, after.stashes) == (before.head, (), before.stashes)
    names = {*before.entries, *after.entries}
    assert {name for name in names if after.entries.get(name) != before.entries.get(name)} == {
        "src/prices.py",
        "src/new.py",
    }
    assert after.entries["src/prices.py"].content.decode() == NEW
    assert kit.git(repository, "status", "--porcelain") == status


def test_files_links_modes_and_directories_arrive_in_the_checkout_as_git_would_write_them(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    (worktree / "link").symlink_to("README.md")
    (worktree / "src/main.py").chmod(0o755)
    kit.git(worktree, "rm", "--quiet", "docs/how to run.md")
    tasks.write(worktree, {"docs": "a file now\n", "deep/er/new": b"\0", "-rf": "dash\n"})
    tasks.commit(worktree, dict.fromkeys(["run.sh"]) | {"run.sh/part one": "a directory now\n"})
    kit.git(worktree, "add", "--all")
    kit.git(worktree, "commit", "--quiet", "-m", "All kinds")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")

    tasks.landed(tasks.merge(repository, "prices"))

    fresh = repository.parent / "fresh"
    kit.git(repository, "clone", "--quiet", str(repository), str(fresh))
    assert kit.snapshot(repository).entries == kit.snapshot(fresh).entries
    assert kit.git(repository, "status", "--porcelain") == ""


def test_a_target_checked_out_in_another_worktree_goes_forward_there(repository: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    kit.git(repository, "worktree", "add", "--quiet", str(second), "main")
    tasks.approved(repository, "prices", {"src/prices.py": NEW}, target="main")
    tasks.write(second, {"README.md": "in the middle of it\n"})
    here = kit.snapshot(repository)

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert kit.snapshot(repository) == here
    assert kit.git(second, "rev-parse", "HEAD") == landed["task"]["merge_commit"]
    assert (second / "src/prices.py").read_text() == NEW
    assert (second / "README.md").read_text() == "in the middle of it\n"
    assert kit.git(second, "status", "--porcelain") == " M README.md"


def test_a_dirty_target_in_another_worktree_blocks_and_is_no_phantom(repository: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    kit.git(repository, "worktree", "add", "--quiet", str(second), "main")
    worktree = tasks.approved(repository, "prices", {"src/prices.py": NEW}, target="main")
    tasks.write(second, {"src/prices.py": "mine\n"})
    before = [kit.snapshot(repository), kit.snapshot(second)]

    error = tasks.refused(tasks.merge(repository, "prices"), "BLOCKED", 15)

    assert error["checkout"] == str(second)
    assert [kit.snapshot(repository), kit.snapshot(second)] == before
    assert worktree.is_dir()
    assert tasks.record(repository, "prices").state == "APPROVED"
    assert tasks.told(repository, "LANDED", "prices") == []


def test_a_target_whose_worktree_was_deleted_by_hand_is_landed_on_all_the_same(
    repository: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    kit.git(repository, "worktree", "add", "--quiet", str(second), "main")
    shutil.rmtree(second)
    tasks.approved(repository, "prices", {"src/prices.py": NEW}, target="main")

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert kit.git(repository, "rev-parse", "main") == landed["task"]["merge_commit"]


def test_the_recorded_commit_is_the_ref_and_the_bus_says_the_same(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/prices.py": NEW})

    landed = tasks.landed(tasks.merge(repository, "prices"))

    tip = kit.git(repository, "rev-parse", "refs/heads/main")
    run = tasks.record(repository, "prices")
    assert landed["task"]["merge_commit"] == run.merge_commit == tip
    (told,) = tasks.told(repository, "LANDED", "prices")
    assert tip[:10] in told


def test_a_dry_run_says_what_would_land_and_moves_nothing(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/prices.py": NEW})
    before = kit.snapshot(repository)

    told = tasks.merge(repository, "prices", "--dry-run")

    assert told.code == 0
    assert (told.document["dry_run"], told.document["files"]) == (True, ["src/prices.py"])
    assert told.document["task"]["state"] == "APPROVED"
    assert kit.snapshot(repository) == before
    assert worktree.is_dir()


REMOVED = "docs/how to run.md"
CHANGED = "src/prices.py"


@pytest.fixture
def half_put_back(repository: Path) -> tuple[Callable[[], None], Path]:
    """A checkout in which a landing was killed before its ref moved: what recovers it, and the checkout."""
    project = open_project(repository)
    before = kit.git(repository, "rev-parse", "HEAD")
    kit.git(repository, "rm", "--quiet", REMOVED)
    after = tasks.commit(repository, {CHANGED: "NONE = {}\n"})
    kit.git(repository, "reset", "--quiet", "--hard", before)
    held = Checkout(repository, repository / ".git", project.layout.landing(after))
    held.scratch.mkdir(parents=True)
    held.held.touch()
    held.index_lock.hardlink_to(held.held)
    return lambda: mend(project.git, held, CommitId(before), CommitId(after)), repository


@pytest.mark.parametrize("size", [0, 5])
@pytest.mark.parametrize("name", [REMOVED, CHANGED])
def test_what_a_killed_recovery_had_half_put_back_is_put_back_by_the_next(
    half_put_back: tuple[Callable[[], None], Path], name: str, size: int
) -> None:
    recover, repository = half_put_back
    file = repository / name
    before = file.read_bytes()
    file.write_bytes(before[:size])

    recover()

    assert file.read_bytes() == before
    assert kit.git(repository, "status", "--porcelain") == ""
    assert not (repository / ".git" / "index.lock").exists()


@pytest.mark.parametrize("name", [REMOVED, CHANGED])
@pytest.mark.parametrize("edit", ["mine\n", None], ids=["content", "mode"])
def test_what_somebody_did_to_a_file_before_the_recovery_stays(
    half_put_back: tuple[Callable[[], None], Path], name: str, edit: str | None
) -> None:
    recover, repository = half_put_back
    file = repository / name
    if edit is None:
        file.chmod(0o755)
    else:
        file.write_text(edit)
    there, mode = file.read_bytes(), file.stat().st_mode

    recover()

    assert (file.read_bytes(), file.stat().st_mode) == (there, mode)
