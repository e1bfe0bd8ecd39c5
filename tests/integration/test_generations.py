"""COMPLETED is final, and a worker of an older generation does not speak for its successor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks

FINAL = {
    "start": ("start", "prices"),
    "done": ("done", "prices"),
    "approve": ("approve", "prices"),
    "request-changes": ("request-changes", "prices", "-m", "no"),
    "cancel": ("cancel", "prices"),
    "fail": ("fail", "prices"),
    "retry": ("retry", "prices"),
    "retry --reset": ("retry", "prices", "--reset"),
}


@pytest.fixture
def landed(repository: Path) -> Path:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    tasks.landed(tasks.merge(repository, "prices"))
    return repository


@pytest.mark.parametrize("command", FINAL.values(), ids=FINAL.keys())
def test_no_command_moves_a_completed_task(landed: Path, command: tuple[str, ...]) -> None:
    before = traces(landed)

    error = tasks.refused(kit.conductor(*command, "--json", cwd=landed), "ILLEGAL_TRANSITION", 12)

    assert error["state"] == "COMPLETED"
    assert traces(landed) == before


def test_a_second_merge_of_a_completed_task_lands_nothing_and_says_so(landed: Path) -> None:
    tip = kit.git(landed, "rev-parse", "main")

    again = tasks.landed(tasks.merge(landed, "prices"), "ALREADY_LANDED")

    assert again["task"]["merge_commit"] == tip
    assert kit.git(landed, "rev-parse", "main") == tip
    assert len(tasks.told(landed, "LANDED", "prices")) == 1


def test_the_id_of_a_completed_task_is_not_given_out_again(landed: Path) -> None:
    before = traces(landed)

    tasks.refused(kit.conductor("spawn", "prices", "--json", cwd=landed), "TASK_EXISTS", 1)

    assert traces(landed) == before


OLD = {
    "start": ("start",),
    "done": ("done",),
    "done by name": ("done", "prices"),
    "done --wip": ("done", "--wip"),
    "fail": ("fail", "-m", "no use"),
    "heartbeat": ("heartbeat",),
    "heartbeat --note": ("heartbeat", "--note", "still here"),
}


@pytest.mark.parametrize("command", OLD.values(), ids=OLD.keys())
def test_an_agent_that_comes_back_after_a_retry_is_refused(repository: Path, command: tuple[str, ...]) -> None:
    worktree = tasks.spawn(repository, "prices")
    old_agent = exports(worktree)
    retried(repository)
    if command[0] != "start":
        kit.conductor("start", "prices", cwd=repository)
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    before = traces(repository)

    error = tasks.refused(kit.conductor(*command, "--json", cwd=worktree, env=old_agent), "STALE_GENERATION", 1)

    assert error["generation"] == 2
    assert traces(repository) == before
    assert kit.conductor(*command, "--json", cwd=worktree).code == 0, "its successor, who has no such environment"


def exports(worktree: Path) -> dict[str, str]:
    """What an agent's environment says, here without the path to the context, which is looked for."""
    lines = kit.conductor("ctx", "--export", "sh", cwd=worktree).out.split("\n")
    pairs = dict(line.removeprefix("export ").split("=", 1) for line in lines if line)
    return {name: pairs[name] for name in ("CONDUCTOR_TASK_ID", "CONDUCTOR_GENERATION")}


def retried(repository: Path) -> None:
    assert kit.conductor("fail", "prices", cwd=repository).code == 0
    assert kit.conductor("retry", "prices", cwd=repository).code == 0


def test_a_worktree_with_the_context_of_an_older_generation_is_refused(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    canonical = Path(kit.git(worktree, "rev-parse", "--absolute-git-dir")) / "worker-ctx.json"
    old = canonical.read_bytes()
    retried(repository)
    kit.conductor("start", "prices", cwd=repository)
    canonical.write_bytes(old)
    (worktree / ".worker-ctx.json").write_bytes(old)

    tasks.refused(kit.conductor("done", "--json", cwd=worktree), "STALE_GENERATION", 1)

    assert tasks.record(repository, "prices").state == "WORKING"


def test_the_environment_of_another_tasks_agent_takes_nothing_from_this_one(repository: Path) -> None:
    tasks.spawn(repository, "other")
    worktree = tasks.spawn(repository, "prices")
    retried(repository)
    kit.conductor("start", "prices", cwd=repository)
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})

    done = kit.conductor(
        "done", "--json", cwd=worktree, env={"CONDUCTOR_TASK_ID": "other", "CONDUCTOR_GENERATION": "1"}
    )

    assert done.document["task"]["state"] == "IN_REVIEW"


def test_a_retry_goes_on_with_the_work_one_generation_up(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    commit = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"unsaved.txt": "unsaved\n"})

    retried(repository)

    run = tasks.record(repository, "prices")
    assert (run.state, run.generation, run.reason) == ("ASSIGNED", 2, None)
    assert kit.git(worktree, "rev-parse", "HEAD") == commit
    assert (worktree / "unsaved.txt").read_text() == "unsaved\n"
    assert kit.conductor("ctx", "--field", "generation", cwd=worktree).out == "2\n"


def test_retry_reset_starts_over_and_the_former_work_comes_back_from_its_salvage(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    commit = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.write(worktree, {"unsaved.txt": "unsaved\n"})
    tip = tasks.commit(repository, {"later.txt": "later\n"})
    kit.conductor("cancel", "prices", cwd=repository)

    done = kit.conductor("retry", "prices", "--reset", "--json", cwd=repository)

    assert done.code == 0, done
    run = tasks.record(repository, "prices")
    assert (run.generation, run.base_commit) == (2, tip)
    assert kit.git(worktree, "rev-parse", "HEAD") == tip
    assert kit.git(worktree, "status", "--porcelain", "--ignored") == "!! .worker-ctx.json"
    (ref,) = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/").split("\n")
    assert kit.git(repository, "rev-parse", f"{ref}^1") == commit
    assert kit.git(repository, "show", f"{ref}:unsaved.txt") == "unsaved"
    assert kit.git(repository, "show", f"{ref}:src/new.py") == "NEW = 1"


def test_retry_makes_a_worktree_again_that_was_deleted_by_hand(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    commit = tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    kit.conductor("cancel", "prices", cwd=repository)
    kit.git(repository, "worktree", "remove", "--force", str(worktree))

    assert kit.conductor("retry", "prices", cwd=repository).code == 0

    assert kit.git(worktree, "rev-parse", "HEAD") == commit
    assert kit.conductor("ctx", "--field", "task_id", cwd=worktree).out == "prices\n"
