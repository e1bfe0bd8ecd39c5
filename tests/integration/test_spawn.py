"""spawn: a branch, a worktree and a record, or nothing at all; any number of them at once."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks
from tests.kit.interposed import happened, interpose

MANY = 20


def spawns(repository: Path, task_ids: Sequence[str]) -> list[kit.Completed]:
    """One `spawn --json` a task id, all of them at once."""
    running = [
        subprocess.Popen(
            [kit.console_script(), "spawn", task_id, "--json"],
            cwd=repository,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for task_id in task_ids
    ]
    ended = [(process, *process.communicate()) for process in running]
    return [kit.Completed(process.returncode, out, err) for process, out, err in ended]


def branches(repository: Path) -> list[str]:
    return kit.git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads/").split("\n")


def test_of_twenty_spawns_of_one_id_one_wins_and_the_others_are_clean_refusals(repository: Path) -> None:
    before = kit.snapshot(repository)

    ended = spawns(repository, ["fix-login"] * MANY)

    assert Counter(done.code for done in ended) == {0: 1, 1: MANY - 1}
    assert {done.document["error"]["code"] for done in ended if done.code} <= {
        "TASK_EXISTS",
        "BRANCH_EXISTS",
        "PATH_EXISTS",
    }
    assert all(done.document["error"]["hint"] for done in ended if done.code)
    (winner,) = (done.document["task"] for done in ended if not done.code)
    assert branches(repository) == ["main", "worker/fix-login"]
    assert [path.name for path in (repository / ".git" / "worktrees").iterdir()] == ["fix-login"]
    assert kit.git(Path(winner["worktree"]), "status", "--porcelain") == ""
    assert kit.git(Path(winner["worktree"]), "symbolic-ref", "HEAD") == "refs/heads/worker/fix-login"
    assert [message["meta"]["event"] for message in messages(repository)] == ["spawn"]
    assert kit.snapshot(repository) == before


def messages(repository: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kit.conductor("bus", "read", "--json", cwd=repository).document["messages"]
    return found


def test_twenty_spawns_of_different_ids_at_once_all_succeed(repository: Path) -> None:
    before, config = kit.snapshot(repository), (repository / ".git" / "config").read_bytes()
    wanted = [f"task-{number:02}" for number in range(MANY)]

    ended = spawns(repository, wanted)

    assert [done.code for done in ended] == [0] * MANY, [done.err for done in ended if done.code]
    assert branches(repository) == ["main", *(f"worker/{task_id}" for task_id in wanted)]
    for done in ended:
        task = done.document["task"]
        assert kit.git(Path(task["worktree"]), "status", "--porcelain") == ""
        assert kit.git(Path(task["worktree"]), "rev-parse", "HEAD") == task["base_commit"]
    assert sorted(message["task_id"] for message in messages(repository)) == wanted
    assert (repository / ".git" / "config").read_bytes() == config
    assert kit.git(repository, "fsck", "--strict") == ""
    assert kit.snapshot(repository) == before


@kit.requires("flock")
def test_git_registers_one_worktree_at_a_time(repository: Path, tmp_path: Path) -> None:
    """`git worktree add` was not made for neighbours: whenever it runs for us, our lock is held."""
    lock = repository / ".git" / "conductor" / "locks" / "worktrees"
    ask = f"flock --nonblock {lock} true && touch {tmp_path}/free; :"
    env = interpose(tmp_path / "bin", "worktree add", before=ask)

    assert kit.conductor("spawn", "fix-login", cwd=repository, env=env).code == 0

    assert happened(tmp_path / "bin")
    assert not (tmp_path / "free").exists()


def blocked_root(repository: Path) -> None:
    (repository.parent / "acme.worktrees").write_text("a file of somebody, where the worktrees would go\n")


def branch_in_the_way(repository: Path) -> None:
    kit.git(repository, "branch", "worker")


def branch_below(repository: Path) -> None:
    kit.git(repository, "branch", "worker/fix-login/deeper")


def broken_filter(repository: Path) -> None:
    """A smudge filter that fails while the files are written, late in the spawn."""
    (repository / ".gitattributes").write_text("*.py filter=broken\n")
    kit.git(repository, "add", ".gitattributes")
    kit.git(repository, "commit", "--quiet", "-m", "attributes")
    kit.git(repository, "config", "filter.broken.smudge", "false")
    kit.git(repository, "config", "filter.broken.required", "true")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0


def damaged_bus(repository: Path) -> None:
    """The last step, the word on the bus, fails: where the bus should be there is a directory."""
    (repository / ".git" / "conductor" / "MESSAGE-BUS.md").mkdir(parents=True)


def locked_branch(repository: Path) -> None:
    """git's own lock on the branch, held by a git that is alive or by one that crashed."""
    lock = repository / ".git" / "refs" / "heads" / "worker" / "fix-login.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()


FAILURES: dict[Callable[[Path], None], str] = {
    blocked_root: "STATE_UNWRITABLE",
    branch_in_the_way: "BRANCH_EXISTS",
    branch_below: "BRANCH_EXISTS",
    broken_filter: "GIT_FAILED",
    damaged_bus: "BUS_DAMAGED",
    locked_branch: "GIT_FAILED",
}


@pytest.mark.parametrize(("break_step", "code"), FAILURES.items(), ids=[step.__name__ for step in FAILURES])
def test_a_spawn_that_fails_at_any_step_leaves_nothing(
    repository: Path, break_step: Callable[[Path], None], code: str
) -> None:
    kit.conductor("spawn", "other", cwd=repository)  # what a first spawn makes for all is there
    kit.conductor("cancel", "other", cwd=repository)
    kit.git(repository, "worktree", "remove", "--force", str(repository.parent / "acme.worktrees" / "other"))
    (repository.parent / "acme.worktrees").rmdir()
    kit.git(repository, "branch", "-D", "worker/other")
    if break_step is damaged_bus:
        (repository / ".git" / "conductor" / "MESSAGE-BUS.md").unlink()
    break_step(repository)
    before = traces(repository)

    done = kit.conductor("spawn", "fix-login", "-m", "Fix it", "--json", cwd=repository)

    tasks.refused(done, code, 1)
    assert traces(repository) == before
    assert kit.conductor("show", "fix-login", "--json", cwd=repository).document["error"]["code"] == "NOT_FOUND"
