"""merge, squash and rebase: what the history looks like afterwards, and that nobody's name is lost in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

AUTHORS = ("Grace <grace@example.org>", "Ada Lovelace <ada@example.org>")


@pytest.fixture
def worktree(repository: Path) -> Path:
    """The worktree of the approved task `prices`: two commits of two people, and a target that went on meanwhile."""
    worktree = tasks.spawn(repository, "prices", title="Raise the prices")
    for number, author in enumerate(AUTHORS):
        tasks.write(worktree, {f"src/new{number}.py": f"NEW = {number}\n"})
        kit.git(worktree, "add", "--all")
        kit.git(worktree, "commit", "--quiet", "--author", author, "-m", f"Step {number}\n\nBecause of {number}.")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.commit(repository, {"README.md": "# Acme\n"}, "Meanwhile")
    return worktree


def land(repository: Path, *options: str) -> str:
    return str(tasks.landed(tasks.merge(repository, "prices", *options))["task"]["merge_commit"])


def trailers(repository: Path, commit: str) -> list[str]:
    return kit.git(repository, "show", "-s", "--format=%(trailers:only,unfold)", commit).splitlines()


def approved_commit(repository: Path) -> str:
    approved = tasks.record(repository, "prices").approved_commit
    assert approved is not None
    return approved


@pytest.mark.usefixtures("worktree")
def test_a_merge_joins_exactly_the_target_and_the_approved_commit(repository: Path) -> None:
    approved, target = approved_commit(repository), kit.git(repository, "rev-parse", "main")

    commit = land(repository)

    assert kit.git(repository, "show", "-s", "--format=%P", commit).split() == [target, approved]
    assert kit.git(repository, "show", "-s", "--format=%s", commit) == "Land prices: Raise the prices"


@pytest.mark.usefixtures("worktree")
def test_a_merge_is_a_commit_of_its_own_also_where_a_fast_forward_would_do(repository: Path) -> None:
    kit.git(repository, "reset", "--quiet", "--hard", "main~1")

    commit = land(repository)

    assert len(kit.git(repository, "show", "-s", "--format=%P", commit).split()) == 2


@pytest.mark.usefixtures("worktree")
@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_the_landed_commit_says_which_task_it_is_who_approved_it_and_which_commit_that_was(
    repository: Path, strategy: str
) -> None:
    approved = approved_commit(repository)

    commit = land(repository, "--strategy", strategy)

    assert trailers(repository, commit) == ["Task-Id: prices", "Reviewed-by: ada", f"Approved-Commit: {approved}"]


@pytest.mark.usefixtures("worktree")
def test_a_squash_is_one_commit_on_top_of_the_target(repository: Path) -> None:
    target = kit.git(repository, "rev-parse", "main")

    commit = land(repository, "--strategy", "squash")

    assert kit.git(repository, "show", "-s", "--format=%P", commit) == target
    assert kit.git(repository, "show", "--format=", "--name-only", commit).split() == ["src/new0.py", "src/new1.py"]


@pytest.mark.usefixtures("worktree")
def test_a_rebase_keeps_every_commit_with_its_author_date_and_message(repository: Path) -> None:
    target, approved = kit.git(repository, "rev-parse", "main"), approved_commit(repository)
    told = "--format=%an <%ae>|%at|%s|%cn"
    before = kit.git(repository, "log", "--reverse", told, f"{target}..{approved}").splitlines()

    commit = land(repository, "--strategy", "rebase")

    after = kit.git(repository, "log", "--reverse", told, f"{target}..{commit}").splitlines()
    assert after == before
    assert [line.partition("|")[0] for line in after] == list(AUTHORS)
    assert kit.git(repository, "rev-list", "--merges", f"{target}..{commit}") == ""
    assert "Because of 0." in kit.git(repository, "show", "-s", "--format=%B", f"{commit}~1")
    assert trailers(repository, f"{commit}~1") == ["Task-Id: prices"]


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_all_strategies_leave_the_same_files(repository: Path, worktree: Path, strategy: str) -> None:
    (worktree / "run.sh").chmod(0o644)
    (worktree / "link").symlink_to("nowhere")
    kit.git(worktree, "add", "--all")
    kit.git(worktree, "commit", "--quiet", "-m", "A link and a mode")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    wanted = kit.git(repository, "merge-tree", "--write-tree", "main", "worker/prices")

    commit = land(repository, "--strategy", strategy)

    assert kit.git(repository, "rev-parse", f"{commit}^{{tree}}") == wanted


def test_a_rebase_flattens_the_merges_that_the_worker_made_of_the_target(repository: Path, worktree: Path) -> None:
    kit.git(worktree, "merge", "--quiet", "--no-edit", "main")
    tasks.commit(worktree, {"src/after.py": "AFTER = 1\n"}, "After")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    target = kit.git(repository, "rev-parse", "main")

    commit = land(repository, "--strategy", "rebase")

    subjects = kit.git(repository, "log", "--reverse", "--format=%s", f"{target}..{commit}").splitlines()
    assert subjects == ["Step 0", "Step 1", "After"]


def test_a_rebase_never_leaves_out_what_only_a_merge_of_the_branch_holds(repository: Path, worktree: Path) -> None:
    kit.git(worktree, "merge", "--quiet", "--no-commit", "main")
    tasks.write(worktree, {"src/new0.py": "NEW = 'changed while merging'\n"})
    kit.git(worktree, "commit", "--quiet", "--all", "--no-edit")
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    before = kit.snapshot(repository)

    error = tasks.refused(tasks.merge(repository, "prices", "--strategy", "rebase"), "CONFLICT", 13)

    assert error["files"] == ["src/new0.py"]
    assert "replayed" in error["message"]
    assert kit.snapshot(repository) == before


@pytest.mark.usefixtures("worktree")
def test_the_strategy_comes_from_the_config_of_the_target(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "merge: squash\n"})
    target = kit.git(repository, "rev-parse", "main")

    commit = land(repository)

    assert kit.git(repository, "show", "-s", "--format=%P", commit) == target


@kit.requires("ssh-keygen")
@pytest.mark.usefixtures("worktree")
def test_a_project_that_signs_gets_signed_landings(repository: Path, home: Path) -> None:
    key = home / "key"
    kit.git(repository, "config", "gpg.format", "ssh")
    make_key(key)
    kit.git(repository, "config", "user.signingKey", str(key))
    kit.git(repository, "config", "commit.gpgSign", "true")
    # The worker that was spawned before knows nothing of it; a person agrees to what git may run.
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0

    commit = land(repository)

    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in kit.git(repository, "cat-file", "commit", commit)


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
