"""After a landing: nothing is taken away before the target was read back, and nothing that somebody still needs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.interposed import happened, interpose

LANDING = "update-ref --no-deref -m conductor-git: land prices"


def salvaged(repository: Path) -> list[str]:
    return kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/").splitlines()


@pytest.fixture
def elsewhere(repository: Path) -> Path:
    """The repository with its person on another branch, so that the target is checked out nowhere."""
    kit.git(repository, "switch", "--quiet", "-c", "mine")
    return repository


def test_a_landed_task_leaves_no_worktree_and_no_branch(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert not worktree.exists()
    assert kit.git(repository, "branch", "--list", "worker/*") == ""
    assert str(worktree) not in kit.git(repository, "worktree", "list")
    assert kit.git(repository, "rev-parse", "main") == landed["task"]["merge_commit"]
    assert landed["cleanup"] == {
        "worktree_removed": True,
        "branch_deleted": True,
        "salvage": None,
        "kept_because": None,
    }


def test_nothing_is_removed_when_the_target_does_not_hold_the_landing_after_all(
    elsewhere: Path, tmp_path: Path
) -> None:
    worktree = tasks.approved(elsewhere, "prices", {"src/new.py": "NEW = 1\n"}, target="main")
    before = kit.git(elsewhere, "rev-parse", "main")
    back = f'"$REAL_GIT" update-ref refs/heads/main {before}'
    env = interpose(tmp_path / "bin", LANDING, after=back)

    error = tasks.refused(tasks.merge(elsewhere, "prices", env=env), "GIT_FAILED", 1)

    assert happened(tmp_path / "bin")
    assert "does not hold" in error["message"]
    assert (worktree / "src/new.py").read_text() == "NEW = 1\n"
    run = tasks.record(elsewhere, "prices")
    assert run.state == "APPROVED"
    assert kit.git(elsewhere, "rev-parse", "worker/prices") == run.approved_commit
    assert tasks.told(elsewhere, "LANDED", "prices") == []


def test_a_landing_that_was_taken_back_lands_when_asked_again(elsewhere: Path, tmp_path: Path) -> None:
    tasks.approved(elsewhere, "prices", {"src/new.py": "NEW = 1\n"}, target="main")
    before = kit.git(elsewhere, "rev-parse", "main")
    back = f'"$REAL_GIT" update-ref refs/heads/main {before}'
    tasks.merge(elsewhere, "prices", env=interpose(tmp_path / "bin", LANDING, after=back))

    tasks.landed(tasks.merge(elsewhere, "prices"))

    assert kit.git(elsewhere, "show", "main:src/new.py") == "NEW = 1"


def test_no_cleanup_leaves_both_and_the_next_merge_takes_them(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})

    tasks.landed(tasks.merge(repository, "prices", "--no-cleanup"))

    assert worktree.is_dir()
    assert kit.git(repository, "branch", "--list", "worker/*") != ""

    tasks.landed(tasks.merge(repository, "prices"), "ALREADY_LANDED")
    assert not worktree.exists()
    assert kit.git(repository, "branch", "--list", "worker/*") == ""


def test_a_worktree_that_a_person_deleted_by_hand_does_not_disturb_the_landing(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    shutil.rmtree(worktree)

    tasks.landed(tasks.merge(repository, "prices"))

    assert kit.git(repository, "show", "main:src/new.py") == "NEW = 1"
    assert str(worktree) not in kit.git(repository, "worktree", "list")
    assert kit.git(repository, "branch", "--list", "worker/*") == ""


def test_a_locked_worktree_stays_and_the_answer_says_why(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    kit.git(repository, "worktree", "lock", str(worktree))

    landed = tasks.landed(tasks.merge(repository, "prices"))

    assert worktree.is_dir()
    assert landed["cleanup"]["worktree_removed"] is False
    assert "locked" in landed["cleanup"]["kept_because"]


@pytest.mark.parametrize("strategy", ["squash", "rebase"])
def test_the_approved_commit_stays_reachable_when_the_target_holds_it_in_another_form(
    repository: Path, strategy: str
) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {"README.md": "# Acme\n"})
    approved = tasks.record(repository, "prices").approved_commit

    landed = tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))

    assert approved is not None
    assert kit.git(repository, "branch", "--list", "worker/*") == ""
    assert kit.git(repository, "merge-base", "--is-ancestor", approved, "main", ok=(1,)) == ""
    assert salvaged(repository) == [landed["cleanup"]["salvage"]]
    assert kit.git(repository, "rev-parse", landed["cleanup"]["salvage"]) == approved


def test_it_stays_reachable_also_when_the_worktree_was_left_dirty_on_another_commit(repository: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.commit(repository, {"README.md": "# Acme\n"})
    approved = tasks.record(repository, "prices").approved_commit
    kit.git(worktree, "switch", "--quiet", "--detach", "main")
    tasks.write(worktree, {"notes.txt": "idea\n"})

    tasks.landed(tasks.merge(repository, "prices", "--strategy", "squash"))

    assert approved is not None
    assert kit.git(repository, "rev-list", "--count", approved, "--not", *salvaged(repository)) == "0"
    assert any(kit.git(repository, "ls-tree", "--name-only", ref, "notes.txt") for ref in salvaged(repository))
