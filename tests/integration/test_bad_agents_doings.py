"""Agents that do what they should not: to their worktree, their branch, the target, and other people's tasks."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.run import End, Event, State
from tests import kit
from tests.integration.agents import worktree
from tests.integration.supervised import DONE, PRICES, by_shell, said, settled
from tests.kit import tasks

OUTSIDE = "cd ..; exec >../.said 2>&1; "


def outcome(repository: Path, name: str) -> list[str]:
    """What an agent of ours noted beside its worktree: exit codes, a line each."""
    return (worktree(repository).parent / name).read_text().split()


def test_an_agent_that_deletes_its_worktree_ends_with_the_reason_and_costs_nothing_else(repository: Path) -> None:
    other = tasks.approved(repository, "pears", {"pears.txt": "5\n"})
    before = kit.snapshot(repository)

    run = by_shell(
        repository,
        'echo one >> one.txt; git add one.txt; git commit -qm one; rm -rf "$PWD"; exit 1',
        backoff="0.01s",
    )

    assert [attempt.end for attempt in run.attempts] == [End.EXITED, End.UNSTARTABLE]
    assert run.state is State.FAILED
    assert "its directory is missing" in (run.reason or "")
    assert kit.snapshot(repository) == before
    assert (other / "pears.txt").read_text() == "5\n"
    assert kit.git(repository, "show", "worker/prices:one.txt") == "one", "its commits are on its branch"
    settled(repository)

    again = kit.conductor("retry", PRICES, "--json", cwd=repository, env={"CONDUCTOR_LIMITS_ATTEMPTS": "1"})

    assert again.code == 0, again.out
    kit.until(lambda: tasks.record(repository, PRICES).supervision is None)
    run = tasks.record(repository, PRICES)
    assert (run.generation, run.attempts[-1].exit_code) == (2, 1), "it was made again, and an attempt ran in it"
    tasks.landed(tasks.merge(repository, "pears"))


@pytest.mark.parametrize("command", ["done --json", "status", "ctx"])
def test_an_agent_in_a_worktree_that_it_deleted_gets_a_refusal_and_no_crash(repository: Path, command: str) -> None:
    by_shell(repository, f'rm -rf "$PWD"; conductor-git {command} > ../said 2>&1; echo $? > ../code', attempts="1")

    (code,) = outcome(repository, "code")
    words = (worktree(repository).parent / "said").read_text()
    assert int(code) not in (0, 3), words
    assert "Traceback" not in words


def test_an_agent_that_deletes_its_context_has_it_back_with_its_next_command(repository: Path) -> None:
    context = worktree(repository) / ".worker-ctx.json"
    script = f"cp .worker-ctx.json ../before; rm .worker-ctx.json; {DONE}; echo $? > ../code"

    run = by_shell(repository, script)

    assert outcome(repository, "code") == ["0"]
    assert run.state is State.IN_REVIEW
    assert context.read_bytes() == (context.parents[1] / "before").read_bytes()


def test_an_agent_that_writes_another_identity_into_its_context_stays_who_it_is(repository: Path) -> None:
    tasks.spawn(repository, "pears")
    script = f'sed -i \'s/"prices"/"pears"/\' .worker-ctx.json; grep -c pears .worker-ctx.json > ../forged; {DONE}'

    run = by_shell(repository, script)

    assert outcome(repository, "forged") == ["1"]
    assert run.state is State.IN_REVIEW
    assert tasks.record(repository, "pears").state is State.WORKING
    assert json.loads((worktree(repository) / ".worker-ctx.json").read_text())["task_id"] == "prices"


@pytest.mark.parametrize(
    "switch", ["switch --quiet spare", "checkout --quiet --detach", "symbolic-ref HEAD refs/heads/spare"]
)
def test_an_agent_that_switches_its_branch_hands_in_nothing_and_is_told_why(repository: Path, switch: str) -> None:
    kit.git(repository, "branch", "spare")
    commit = "echo x > new.txt; git add new.txt; git commit -qm new"
    script = f"({commit}; git {switch}; {commit}2) >../said 2>&1; conductor-git done --json > ../document; exit 1"

    run = by_shell(repository, script, attempts="1")

    error = json.loads((worktree(repository).parent / "document").read_text())["error"]
    assert error["code"] in ("WORKTREE_BUSY", "DIRTY_WORKTREE")
    assert error["hint"]
    assert (run.state, run.head_commit) == (State.FAILED, None)
    assert kit.git(repository, "rev-parse", "spare") == kit.git(repository, "rev-parse", "main")


def test_a_new_branch_is_refused_by_the_fence_and_the_work_stays_on_its_own(repository: Path) -> None:
    run = by_shell(repository, f"git switch -c elsewhere 2> ../said; echo $? > ../code; {DONE}")

    assert outcome(repository, "code") != ["0"]
    assert run.state is State.IN_REVIEW
    assert run.head_commit == kit.git(repository, "rev-parse", "worker/prices")
    assert kit.git(repository, "branch", "--list", "elsewhere") == ""


def test_an_agent_that_commits_to_the_target_is_refused_by_the_fence_and_the_target_stays(repository: Path) -> None:
    main = shlex.quote(str(repository))
    before = kit.git(repository, "rev-parse", "main")
    tries = (
        "git update-ref refs/heads/main HEAD",
        "git branch -f main HEAD",
        "git push . HEAD:main",
        f"git -C {main} commit --allow-empty -m mine",
        f"git -C {main} update-ref HEAD $(git rev-parse HEAD)",
    )
    each = "; ".join(f"{words} >> ../said 2>&1; echo $? >> ../codes" for words in tries)

    run = by_shell(repository, f"git commit -q --allow-empty -m own; {each}; exit 1", attempts="1")

    assert [code == "0" for code in outcome(repository, "codes")] == [False] * len(tries)
    assert kit.git(repository, "rev-parse", "main") == before
    assert kit.git(repository, "log", "-1", "--format=%s", run.branch) == "own", "its own branch it can move"


def test_done_called_twice_hands_in_once(repository: Path) -> None:
    run = by_shell(repository, f"{DONE}; echo $? > ../codes; conductor-git done; echo $? >> ../codes")

    assert outcome(repository, "codes") == ["0", "0"]
    assert run.state is State.IN_REVIEW
    assert [step.event for step in run.history] == [Event.SPAWN, Event.START, Event.DONE]
    assert len(run.attempts) == 1
    assert len([message for message in said(repository, "STATE") if message.meta["to"] == "IN_REVIEW"]) == 1


def test_done_called_again_after_an_approval_of_the_same_commit_takes_nothing_back(repository: Path) -> None:
    run = by_shell(repository, DONE)
    tasks.approve(repository, PRICES)

    done = kit.conductor("done", "--json", cwd=Path(run.worktree))

    assert done.code == 0, done
    assert tasks.record(repository, PRICES).state is State.APPROVED


def test_done_for_another_task_is_refused_and_neither_changes(repository: Path) -> None:
    other = tasks.spawn(repository, "pears")
    tasks.commit(other, {"pears.txt": "5\n"})
    before = tasks.record(repository, "pears")

    run = by_shell(repository, "conductor-git done pears --json > ../document; echo $? > ../code; exit 1", attempts="1")

    error = json.loads((worktree(repository).parent / "document").read_text())["error"]
    assert outcome(repository, "code") != ["0"]
    assert error["hint"]
    assert tasks.record(repository, "pears") == before
    assert (run.state, run.head_commit) == (State.FAILED, None)


@pytest.mark.parametrize("verb", ["cancel", "fail"])
def test_a_worker_ends_nobody_elses_task(repository: Path, verb: str) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.spawn(repository, "pears")
    before = tasks.record(repository, "pears")

    tasks.refused(kit.conductor(verb, "pears", "--json", cwd=place), "WRONG_WORKER", 1)

    assert tasks.record(repository, "pears") == before


def test_done_in_another_workers_worktree_is_refused_and_neither_changes(repository: Path) -> None:
    other = tasks.spawn(repository, "pears")
    tasks.commit(other, {"pears.txt": "5\n"})
    before = tasks.record(repository, "pears")

    by_shell(
        repository,
        f"cd {shlex.quote(str(other))}; conductor-git done --json > ../document; echo $? > ../code; exit 1",
        attempts="1",
    )

    assert tasks.record(repository, "pears") == before, (other.parent / "document").read_text()


def test_an_agent_that_ends_its_own_task_ends_no_other(repository: Path) -> None:
    tasks.spawn(repository, "pears")

    run = by_shell(repository, "conductor-git cancel prices; exit 1")

    assert run.state is State.CANCELLED
    assert len(run.attempts) == 1, "nothing follows on a task that is over"
    assert tasks.record(repository, "pears").state is State.WORKING


def test_a_parent_hands_in_the_work_of_its_sub_task(repository: Path) -> None:
    parent = tasks.spawn(repository, PRICES)
    assert kit.conductor("spawn", "pears", cwd=parent).code == 0
    assert kit.conductor("start", "pears", cwd=parent).code == 0
    tasks.commit(parent.parent / "pears", {"pears.txt": "5\n"})

    done = kit.conductor("done", "pears", cwd=parent)

    assert done.code == 0, done
    assert tasks.record(repository, "pears").state is State.IN_REVIEW


def test_the_folder_of_an_attempt_that_its_agent_removes_costs_the_log_and_no_more(repository: Path) -> None:
    run = by_shell(repository, 'echo hello; rm -rf "${CONDUCTOR_OUTPUT%/*}"; exit 1', attempts="2")

    assert [(attempt.end, attempt.exit_code) for attempt in run.attempts] == [(End.EXITED, 1)] * 2
    assert run.state is State.FAILED
    settled(repository)


def test_the_record_that_an_agent_breaks_is_told_and_ends_nothing_of_anybody_else(repository: Path) -> None:
    layout = open_project(repository).layout
    tasks.spawn(repository, "pears")
    record = layout.run_info(parse_task_id("pears"))
    main = shlex.quote(os.fspath(record))

    run = by_shell(repository, f"echo '{{' > {main}; exit 1", attempts="1")

    assert run.state is State.FAILED
    assert run.reason == "sh ended with exit code 1"
