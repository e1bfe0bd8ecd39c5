"""Who a command speaks for, from wherever it is run; and a worker that leaves its worktree is stopped or told of."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from conductor_git.environment import GIT_LOCAL_VARIABLES
from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks


def polluted(repository: Path) -> dict[str, str]:
    """Git's local variables as a hook or an alias of another repository would leave them."""
    other = kit.make_repository(repository.parent / "other-project")
    return {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other / ".git" / "objects"),
        "GIT_COMMON_DIR": str(other / ".git"),
        "GIT_PREFIX": "src/",
        "GIT_NAMESPACE": "elsewhere",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
    }


def places(worktree: Path) -> dict[str, Path]:
    """Where a worker can stand: the top, a directory below, one git does not know, and a repository of its own."""
    (worktree / "build" / "deep").mkdir(parents=True)
    kit.make_repository(worktree / "vendor" / "nested")
    return {
        "top": worktree,
        "below": worktree / "src",
        "ignored": worktree / "build" / "deep",
        "nested": worktree / "vendor" / "nested" / "src",
    }


@pytest.mark.parametrize("place", ["top", "below", "ignored", "nested"])
@pytest.mark.parametrize("pollute", [False, True], ids=["clean", "polluted"])
def test_a_worker_is_itself_from_everywhere_in_its_worktree(repository: Path, place: str, pollute: bool) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.spawn(repository, "pears")
    where = places(worktree)[place]
    env = polluted(repository) if pollute else {}
    other = kit.snapshot(repository.parent / "other-project") if pollute else None

    assert kit.conductor("ctx", "--field", "task_id", cwd=where, env=env).out == "prices\n"
    assert kit.conductor("heartbeat", "--json", cwd=where, env=env).document["task"]["task_id"] == "prices"
    posted = kit.conductor("bus", "post", "hello", "--json", cwd=where, env=env).document["msg_id"]
    done = kit.conductor("fail", "-m", "no use", "--json", cwd=where, env=env)

    assert done.document["task"]["task_id"] == "prices"
    assert (tasks.record(repository, "prices").state, tasks.record(repository, "pears").state) == ("FAILED", "WORKING")
    messages = kit.conductor("bus", "read", "--task", "prices", "--json", cwd=repository).document["messages"]
    assert posted in {message["msg_id"] for message in messages}
    if other is not None:
        assert kit.snapshot(repository.parent / "other-project") == other
        assert not (repository.parent / "other-project" / ".git" / "conductor").exists()


@pytest.mark.parametrize("where", [".", "src", "docs"])
def test_a_polluted_environment_takes_a_person_to_no_other_repository(repository: Path, where: str) -> None:
    env = polluted(repository)
    other = repository.parent / "other-project"
    before = traces(other)["checkout"], (other / ".git" / "config").read_bytes()

    made = kit.conductor("spawn", "prices", "--json", cwd=repository / where, env=env)
    worktree = Path(made.document["task"]["worktree"])
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    for command in ("start", "done", "approve", "merge"):
        done = kit.conductor(command, "prices", "--json", cwd=repository / where, env=env)
        assert done.code == 0, (command, done)

    assert kit.git(repository, "show", "main:src/new.py") == "NEW = 1"
    assert (kit.snapshot(other), (other / ".git" / "config").read_bytes()) == before
    assert not (other / ".git" / "conductor").exists()


def test_every_variable_that_git_calls_local_is_scrubbed(repository: Path) -> None:
    assert set(kit.git(repository, "rev-parse", "--local-env-vars").split()) <= GIT_LOCAL_VARIABLES


def test_ids_that_begin_alike_never_mix(repository: Path) -> None:
    for task_id in ("a", "ab", "a.b", "a-b"):
        tasks.commit(tasks.spawn(repository, task_id), {f"{task_id}.txt": "work\n"})
    tasks.hand_in(repository, "a")
    tasks.approve(repository, "a")

    tasks.landed(tasks.merge(repository, "a"))
    kit.conductor("cancel", "ab", cwd=repository)

    states = {task_id: str(tasks.record(repository, task_id).state) for task_id in ("a", "ab", "a.b", "a-b")}
    assert states == {"a": "COMPLETED", "ab": "CANCELLED", "a.b": "WORKING", "a-b": "WORKING"}
    assert kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/worker/").split() == [
        "refs/heads/worker/a-b",
        "refs/heads/worker/a.b",
        "refs/heads/worker/ab",
    ]
    for task_id in ("ab", "a.b", "a-b"):
        worktree = repository.parent / "acme.worktrees" / task_id
        assert kit.conductor("ctx", "--field", "task_id", cwd=worktree).out == f"{task_id}\n"
        assert {message["task_id"] for message in messages(repository, task_id)} == {task_id}
    assert {message["task_id"] for message in messages(repository, "a")} == {"a"}
    assert not (repository.parent / "acme.worktrees" / "a").exists()


def messages(repository: Path, task_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = kit.conductor("bus", "read", "--task", task_id, "--json", cwd=repository).document[
        "messages"
    ]
    return found


def test_a_worker_does_not_review_its_own_work(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    before = traces(repository)

    for command in (("approve", "prices"), ("approve", "prices", "--as", "ada"), ("request-changes", "prices")):
        tasks.refused(kit.conductor(*command, "--json", cwd=worktree / "src"), "SELF_REVIEW", 1)

    assert traces(repository) == before


def run_agent(repository: Path, script: str, *, env: dict[str, str] | None = None) -> None:
    """Spawn the task `prices` with a shell script as its agent and wait for the recorded end."""
    done = kit.conductor("spawn", "prices", "--", "sh", "-ec", script, cwd=repository, env=env)
    assert done.code == 0, done
    kit.until(lambda: tasks.record(repository, "prices").attempts[-1].ended_at is not None)


def escapes(repository: Path) -> list[str]:
    return [message["body"] for message in messages(repository, "prices") if message["meta"].get("warning") == "ESCAPE"]


ESCAPES = {
    "a changed file": ("echo x >> '{main}/README.md'", "README.md"),
    "a new file": ("echo x > '{main}/new.txt'", "new.txt"),
    "a deleted file": ("rm '{main}/src/main.py'", "src/main.py"),
    "a file that was dirty before": ("echo more >> '{main}/dirty.txt'", "dirty.txt"),
    "a branch switched without the fence": (
        "env -u GIT_CONFIG_COUNT -u CONDUCTOR_FENCE_BRANCH git -C '{main}' checkout -q -b elsewhere",
        "HEAD",
    ),
}


@pytest.mark.parametrize(("script", "path"), ESCAPES.values(), ids=ESCAPES.keys())
def test_an_agent_that_changes_the_main_checkout_raises_an_escape_warning(
    repository: Path, script: str, path: str
) -> None:
    tasks.write(repository, {"dirty.txt": "dirty\n"})

    run_agent(repository, script.format(main=repository))

    (warning,) = kit.until(lambda: escapes(repository))
    assert warning.startswith("ESCAPE: ")
    assert path in warning


def test_an_agent_that_stays_in_its_worktree_raises_none(repository: Path) -> None:
    tasks.write(repository, {"dirty.txt": "dirty\n"})

    run_agent(repository, "echo 1 > new.txt; git add new.txt; git commit -qm new; git status; conductor-git heartbeat")
    kit.until(lambda: any(message["type"] == "RUN_STOP" for message in messages(repository, "prices")))

    assert tasks.record(repository, "prices").attempts[-1].exit_code == 0
    assert escapes(repository) == []


FENCED = {
    "a commit on main": "git -C '{main}' commit --allow-empty -qm mine",
    "a stash": "echo x >> README.md; git stash",
    "the branch of another": "git update-ref refs/heads/worker/other HEAD~1",
    "the deletion of another's branch": "git update-ref -d refs/heads/worker/other",
    "a branch of its own making": "git branch stray",
    "a tag": "git tag v1",
    "a switch to main": "git checkout -q -B main",
}


@pytest.mark.parametrize("script", FENCED.values(), ids=FENCED.keys())
def test_a_spawned_agent_runs_inside_the_fence(repository: Path, script: str) -> None:
    tasks.spawn(repository, "other")
    refs, before = other_refs(repository), kit.snapshot(repository)

    run_agent(repository, script.format(main=repository))

    attempt = tasks.record(repository, "prices").attempts[-1]
    log = kit.conductor("log", "prices", "--stderr", cwd=repository).out
    assert attempt.exit_code not in (0, None)
    assert "conductor-git: " in log
    assert other_refs(repository) == refs
    assert kit.snapshot(repository) == before


def other_refs(repository: Path) -> str:
    listed = kit.git(repository, "for-each-ref", "--format=%(refname) %(objectname)")
    return "\n".join(line for line in listed.split("\n") if "worker/prices" not in line)


def test_a_spawned_agent_commits_on_its_own_branch_with_its_task_in_the_message(repository: Path) -> None:
    run_agent(repository, "echo 1 > new.txt; git add new.txt; git commit -qm 'A new file'; conductor-git done")

    run = tasks.record(repository, "prices")
    assert run.state == "IN_REVIEW"
    assert run.head_commit == kit.git(repository, "rev-parse", "worker/prices")
    assert "Task-Id: prices" in kit.git(repository, "log", "-1", "--format=%B", "worker/prices")


def test_a_hook_of_the_main_repository_that_calls_us_speaks_for_the_person(repository: Path) -> None:
    """Inside a hook git's variables point at the repository; the identity is still that of the directory."""
    tasks.spawn(repository, "prices")
    hook = repository / ".git" / "hooks" / "post-commit"
    hook.write_text("#!/bin/sh\nexec conductor-git bus post --type INFO committed\n")
    hook.chmod(0o755)

    subprocess.run(["git", "commit", "--allow-empty", "-qm", "x"], cwd=repository, check=True, capture_output=True)

    said = kit.conductor("bus", "read", "--type", "INFO", "--json", cwd=repository).document["messages"]
    assert [(message["body"], message["task_id"]) for message in said] == [("committed", None)]
