"""SIGKILL in the middle of a restore: the worktree is there whole, or not at all, and it can be done again."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from conductor_git.layout import Layout
from tests import kit
from tests.integration.test_restore import UNSAVED, brought_back, holds_unsaved, landed_over, restore
from tests.integration.traces import git_dir
from tests.kit import tasks
from tests.kit.interposed import KILL_CALLER, happened, interpose


def mended(repository: Path) -> None:
    """A git process may outlive the killed command, and keeps its lock until it ends."""
    journal = Layout(repository / ".git").journal
    kit.until(lambda: kit.conductor("status", cwd=repository).code == 0 and not list(journal.glob("*.json")))


KILLS = {"before": {"before": f"{KILL_CALLER}; exit 1"}, "after": {"after": KILL_CALLER}}
STEPS = {
    "the commit is checked out": "read-tree --reset -u",
    "the salvage is read": "cat-file --batch-check",
    "the index is settled": "update-index -q --refresh",
    "the branch is made": "update-ref --no-deref -m conductor-git: restore",
    "the worktree is registered": "worktree add",
}


@pytest.mark.parametrize("when", KILLS)
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_nothing_and_it_is_done_again(
    repository: Path, tmp_path: Path, step: str, when: str
) -> None:
    worktree = landed_over(repository)
    kit.conductor("status", cwd=repository)
    before = git_dir(repository)
    env = interpose(tmp_path / "bin", STEPS[step], **KILLS[when])

    assert restore(repository, "prices", env=env).code == -signal.SIGKILL
    assert happened(tmp_path / "bin")
    mended(repository)

    assert git_dir(repository) == before
    assert list(worktree.parent.iterdir()) == []
    brought_back(restore(repository, "prices"))
    assert holds_unsaved(worktree)


def test_what_a_person_put_in_the_place_of_a_killed_restore_stays(repository: Path, tmp_path: Path) -> None:
    worktree = landed_over(repository)
    env = interpose(tmp_path / "bin", "worktree add", after=KILL_CALLER)
    assert restore(repository, "prices", env=env).code == -signal.SIGKILL
    tasks.write(worktree, {"thesis.txt": "ten years of work\n"})

    mended(repository)

    assert (worktree / "thesis.txt").read_text() == "ten years of work\n"
    error = tasks.refused(restore(repository, "prices"), "IN_THE_WAY", 1)
    assert "thesis.txt" in error["files"]


def test_a_rest_that_a_killed_removal_left_is_not_taken_for_the_whole(repository: Path, tmp_path: Path) -> None:
    worktree = tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, UNSAVED)
    kill = f"rm -rf {worktree}/src {worktree}/idea.txt; {KILL_CALLER}; exit 1"
    env = interpose(tmp_path / "bin", "worktree remove", before=kill)
    assert tasks.merge(repository, "prices", env=env).code == -signal.SIGKILL
    assert kit.conductor("status", cwd=repository).code == 0
    assert [one["is_rest"] for one in restore(repository).document["salvage"]] == [False, True]

    brought_back(restore(repository, "prices"))

    assert holds_unsaved(worktree)


@kit.requires("strace")
def test_a_kill_at_any_rename_leaves_the_worktree_whole_or_not_at_all(repository: Path) -> None:
    worktree = landed_over(repository)
    calls = "rename,renameat,renameat2"
    codes = []
    for number in range(1, 40):
        traced = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
        inject = ["-e", f"inject={calls}:signal=KILL:when={number}"]
        command = [*traced, *inject, str(kit.console_script()), "restore", "prices"]
        codes.append(subprocess.run(command, cwd=repository, capture_output=True, check=False).returncode)
        mended(repository)
        assert [path.name for path in worktree.parent.iterdir()] in ([], ["prices"]), number
        if worktree.exists():
            assert holds_unsaved(worktree), number
            assert kit.conductor("ctx", "--field", "task_id", cwd=worktree).out == "prices\n"
            assert kit.git(worktree, "status", "--porcelain") == " M src/prices.py\n?? idea.txt"
            tasks.landed(tasks.merge(repository, "prices"), "ALREADY_LANDED")
        assert kit.git(repository, "worktree", "list").count("\n") == 0
        if codes[-1] == 0:
            break
    assert codes[-1] == 0
    assert len(codes) > 4
