"""retry: the former work goes on, or, with --reset, is kept in a salvage ref before the worktree starts over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks


@pytest.fixture
def worktree(repository: Path) -> Path:
    """The worktree of the cancelled task `prices`: one commit, and every kind of uncommitted work."""
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"src/prices.py": b"mine\r\n", "idea.txt": "untracked\n", "debug.log": "ignored\n"})
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0
    return worktree


def retry(repository: Path, *options: str) -> kit.Completed:
    return kit.conductor("retry", "prices", "--json", *options, cwd=repository)


def salvaged(repository: Path) -> str:
    (ref,) = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/").splitlines()
    return ref


def test_cancelling_leaves_worktree_branch_and_uncommitted_work_as_they_are(repository: Path, worktree: Path) -> None:
    assert (worktree / "idea.txt").read_text() == "untracked\n"
    assert (worktree / "src/prices.py").read_bytes() == b"mine\r\n"
    assert kit.git(repository, "show", "worker/prices:src/new.py") == "NEW = 1"


def test_a_retry_goes_on_with_everything_that_is_there(repository: Path, worktree: Path) -> None:
    before = kit.snapshot(worktree)

    again = retry(repository)

    assert again.code == 0, again
    assert (again.document["task"]["state"], again.document["task"]["generation"]) == ("ASSIGNED", 2)
    after = kit.snapshot(worktree)
    names = {*before.entries, *after.entries}
    assert {name for name in names if after.entries.get(name) != before.entries.get(name)} == {".worker-ctx.json"}
    assert (after.tip, after.index) == (before.tip, before.index)
    assert kit.git(repository, "for-each-ref", "refs/conductor/") == ""


def test_a_reset_starts_over_at_the_target_and_the_former_work_is_kept_whole(repository: Path, worktree: Path) -> None:
    former = kit.git(repository, "rev-parse", "worker/prices")
    target = tasks.commit(repository, {"README.md": "# Acme\n"})

    again = retry(repository, "--reset")

    assert again.code == 0, again
    assert again.document["task"]["base_commit"] == target
    assert kit.git(worktree, "rev-parse", "HEAD", "worker/prices").split() == [target, target]
    assert kit.git(worktree, "status", "--porcelain", "--ignored").split("\n") == ["!! .worker-ctx.json"]
    ref = salvaged(repository)
    kit.git(repository, "merge-base", "--is-ancestor", former, ref)
    kept = {name: kit.git(repository, "show", f"{ref}:{name}") for name in ("src/prices.py", "idea.txt", "debug.log")}
    assert kept == {"src/prices.py": "mine\r", "idea.txt": "untracked", "debug.log": "ignored"}
    assert any(ref in fact for fact in tasks.told(repository, "FACT", "prices"))


def test_a_reset_with_commits_alone_keeps_the_commits(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    former = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0

    assert retry(repository, "--reset").code == 0

    kit.git(repository, "merge-base", "--is-ancestor", former, salvaged(repository))
    assert not (worktree / "src/new.py").exists()


def test_a_reset_with_nothing_to_lose_keeps_nothing(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0

    assert retry(repository, "--reset").code == 0

    assert kit.git(repository, "for-each-ref", "refs/conductor/") == ""


def test_a_reset_that_cannot_keep_everything_is_refused_and_changes_nothing(repository: Path, worktree: Path) -> None:
    kit.make_repository(worktree / "build" / "nested")
    before = kit.snapshot(worktree)

    error = tasks.refused(retry(repository, "--reset"), "UNSAFE_PATH", 1)

    assert error["path"] == str(worktree / "build" / "nested")
    assert kit.snapshot(worktree) == before
    assert tasks.record(repository, "prices").state == "CANCELLED"


def test_a_worktree_that_was_deleted_by_hand_is_made_again_from_its_branch(repository: Path, worktree: Path) -> None:
    shutil.rmtree(worktree)

    again = retry(repository)

    assert again.code == 0, again
    assert (worktree / "src/new.py").read_text() == "NEW = 1\n"
    assert (worktree / ".worker-ctx.json").is_file()
    assert kit.git(worktree, "status", "--porcelain") == ""


def test_a_reset_without_its_worktree_keeps_the_commits_of_the_branch(repository: Path, worktree: Path) -> None:
    former = kit.git(repository, "rev-parse", "worker/prices")
    shutil.rmtree(worktree)

    again = retry(repository, "--reset")

    assert again.code == 0, again
    assert kit.git(repository, "rev-parse", salvaged(repository)) == former
    assert kit.git(worktree, "rev-parse", "HEAD") == kit.git(repository, "rev-parse", "main")


def test_a_landed_task_is_not_started_over(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    before = kit.snapshot(repository)

    tasks.refused(retry(repository, "--reset"), "ILLEGAL_TRANSITION", 12)

    assert kit.snapshot(repository) == before


def test_the_worker_of_the_former_generation_cannot_hand_in(repository: Path, worktree: Path) -> None:
    context = (worktree / ".worker-ctx.json").read_bytes()
    assert retry(repository).code == 0
    assert kit.conductor("start", "prices", cwd=repository).code == 0
    old = worktree.parent / "old-ctx.json"
    old.write_bytes(context)

    refused = kit.conductor("done", "--json", cwd=worktree, env={"CONDUCTOR_WORKER_CTX": str(old)})

    assert refused.code != 0
    assert tasks.record(repository, "prices").state == "WORKING"
