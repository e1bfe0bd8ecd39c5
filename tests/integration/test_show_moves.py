"""Every command that `show` names as what moves a task: typed as it stands, in the situation that it is given for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.integration import situations as at
from tests.kit import tasks

Step = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """A situation, what `show` says it waits for, and the state that the task is in once all moves were made."""

    make: Step
    waits_for: str
    becomes: str
    edit: Step | None = None
    """What a worker does once the first move has met the conflict that it was to show."""


START_OVER = "conductor-git fail prices && conductor-git retry prices"
CASES = [
    Case(at.not_started, "its worker to start", "WORKING"),
    Case(at.not_started_and_without_a_worktree, "a worktree", "ASSIGNED"),
    Case(at.begun, "its worker to hand in a commit", "WORKING"),
    Case(at.with_a_commit, "its worker to hand in a commit", "IN_REVIEW"),
    Case(at.with_uncommitted_work, "its worker to hand in a commit", "IN_REVIEW"),
    Case(at.with_an_agent_that_ended, "a person: its agent ended without handing anything in", "WORKING"),
    Case(at.with_an_agent_that_vanished, "a person: its agent is gone without handing anything in", "WORKING"),
    Case(at.with_an_agent_at_work, "its worker to hand in a commit", "WORKING"),
    Case(at.with_a_question, "an answer to its worker's question", "WORKING"),
    Case(at.with_an_agent_that_says_nothing, "its worker to hand in a commit", "WORKING"),
    Case(at.with_its_head_elsewhere, "its worker to hand in a commit", "WORKING"),
    Case(at.without_its_branch, "its worker to hand in a commit", "WORKING"),
    Case(at.without_its_worktree, "its worker to hand in a commit", "ASSIGNED"),
    Case(at.in_conflict, "its worker to mend the CONFLICT in src/prices.py", "IN_REVIEW", at.settled),
    Case(at.in_conflict_as_a_rebase, "its worker to mend the CONFLICT in src/prices.py", "IN_REVIEW", at.settled),
    Case(at.in_the_middle_of_the_merge, "its worker to mend the CONFLICT in src/prices.py", "IN_REVIEW"),
    Case(at.out_of_conflict, "its worker to mend the CONFLICT in src/prices.py", "IN_REVIEW"),
    Case(at.with_a_red_gate, "its worker to mend the GATE_FAILED", "IN_REVIEW"),
    Case(at.with_a_gate_out_of_time, "its worker to mend the GATE_FAILED", "IN_REVIEW"),
    Case(at.with_changes_requested, "its worker to make the changes that ada asked for", "WORKING"),
    Case(at.with_the_changes_made, "its worker to make the changes that ada asked for", "IN_REVIEW"),
    Case(at.in_review, "reviewers: 0 of 1 approvals", "APPROVED"),
    Case(at.in_review_by_two, "reviewers: 1 of 2 approvals", "APPROVED"),
    Case(at.in_review_by_somebody_else, "reviewers: 1 of 2 approvals", "IN_REVIEW"),
    Case(at.in_review_and_moved, "reviewers: 0 of 1 approvals", "IN_REVIEW"),
    Case(at.in_review_without_its_branch, "reviewers: 0 of 1 approvals", "IN_REVIEW"),
    Case(at.approved, "the landing: number 1 in the queue", "COMPLETED"),
    Case(at.second_in_the_queue, "the landing: number 2 in the queue", "COMPLETED"),
    Case(at.approved_and_moved, "a review of what its branch is at now", "IN_REVIEW"),
    Case(at.approved_without_its_branch, "its branch, which is gone", "APPROVED"),
    Case(at.approved_and_in_need, "pears to land first", "APPROVED"),
    Case(at.about_to_conflict, "its worker: it would conflict with main", "IN_REVIEW", at.settled),
    Case(at.without_its_target, "the landing: number 1 in the queue", "COMPLETED"),
    Case(at.blocked, "the landing, last BLOCKED in docs/how to run.md and src/prices.py", "COMPLETED"),
    Case(at.blocked_by_an_ignored_file, "the landing, last BLOCKED in debug.log", "COMPLETED"),
    Case(at.blocked_no_more, "the landing, last BLOCKED in docs/how to run.md and src/prices.py", "COMPLETED"),
    Case(at.landed, "nothing: it has landed", "CANCELLED"),
    Case(at.landed_with_its_worktree_left, "nothing: it has landed", "CANCELLED"),
    Case(at.undone, "nothing: too dear", "ASSIGNED"),
    Case(at.failed, "nothing: sh ended with exit code 7: it broke", "WORKING"),
    Case(at.cancelled_and_gone, "nothing: done elsewhere", "ASSIGNED"),
]


def shown(repository: Path, task_id: str = "prices") -> dict[str, Any]:
    done = kit.conductor("show", task_id, "--json", cwd=repository)
    assert done.code == 0, done
    document: dict[str, Any] = done.document
    return document


def typed(repository: Path, command: str) -> subprocess.CompletedProcess[str]:
    """`command` as a person types it in the main checkout."""
    done = ["bash", "-c", command]
    return subprocess.run(done, cwd=repository, input="net\n", capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _ended(repository: Path) -> Any:
    """No agent of a situation outlives it."""
    yield
    for task_id in ("prices", "look"):
        kit.conductor("stop", task_id, cwd=repository)


@pytest.mark.parametrize("case", CASES, ids=[case.make.__name__ for case in CASES])
def test_what_show_says_moves_a_task_moves_it(repository: Path, case: Case) -> None:
    case.make(repository)
    told = shown(repository)

    first, *rest = told["explanation"]["moves"]
    assert told["waits_for"] == told["explanation"]["waits_for"] == case.waits_for
    done = typed(repository, first)
    assert (done.returncode != 0) == (case.edit is not None), (first, done)
    if case.edit is not None:
        case.edit(repository)
    for command in rest:
        done = typed(repository, command)
        assert done.returncode == 0, (command, done)
    assert tasks.record(repository, "prices").state == case.becomes
    assert told["next_command"] in (first, *rest)


def test_uncommitted_work_is_saved_before_the_target_is_merged(repository: Path) -> None:
    at.in_conflict_with_uncommitted_work(repository)

    save, join, *rest = shown(repository)["explanation"]["moves"]

    assert typed(repository, save).returncode == 0
    assert typed(repository, join).returncode == 1
    at.settled(repository)
    assert [typed(repository, command).returncode for command in rest] == [0, 0]
    assert tasks.record(repository, "prices").state == "IN_REVIEW"


def test_uncommitted_work_is_saved_before_an_approved_task_is_brought_past_a_conflict(repository: Path) -> None:
    at.about_to_conflict(repository)
    tasks.write(at.place(repository), {"src/prices.py": at.DEAR + "# mine\n"})

    save, join, *rest = shown(repository)["explanation"]["moves"]

    assert typed(repository, save).returncode == 0
    assert typed(repository, join).returncode == 1
    at.settled(repository)
    assert [typed(repository, command).returncode for command in rest] == [0, 0]
    assert tasks.record(repository, "prices").state == "IN_REVIEW"


@pytest.mark.parametrize("strategy", ["merge", "squash", "rebase"])
def test_once_a_conflict_is_settled_as_show_says_the_task_lands(repository: Path, strategy: str) -> None:
    at.in_conflict(repository, "--strategy", strategy)
    first, *rest = shown(repository)["explanation"]["moves"]
    typed(repository, first)
    at.settled(repository)
    for command in rest:
        typed(repository, command)

    tasks.approve(repository, "prices")

    tasks.landed(tasks.merge(repository, "prices", "--strategy", strategy))


def test_what_was_put_aside_for_a_landing_is_on_the_stash(repository: Path) -> None:
    at.blocked(repository)
    first, second = shown(repository)["explanation"]["moves"]

    typed(repository, first)
    typed(repository, second)

    assert kit.git(repository, "show", "stash@{0}:src/prices.py").endswith("# mine")
    assert (repository / "src/prices.py").read_text() == at.DEAR


def test_a_reviewers_task_moves_by_its_verdict(repository: Path) -> None:
    at.in_review_by_an_agent(repository)
    told = shown(repository, "look")

    assert told["waits_for"] == "its verdict on prices"
    (command,) = told["explanation"]["moves"]
    assert typed(repository, command).returncode == 0
    assert tasks.record(repository, "look").state == "COMPLETED"
    assert tasks.record(repository, "prices").state == "APPROVED"
    after = shown(repository, "look")
    assert after["waits_for"] == "nothing: its verdict is given"
    assert "its verdict on prices: approves" in after["explanation"]["because"][0]
    (look,) = after["explanation"]["moves"]
    assert typed(repository, look).returncode == 0


def test_a_reviewers_task_whose_commit_was_superseded_is_to_be_cancelled(repository: Path) -> None:
    at.in_review_by_an_agent(repository)
    tasks.commit(at.place(repository), {"src/more.py": "MORE = 1\n"})
    tasks.hand_in(repository, "prices")

    told = shown(repository, "look")

    assert "in review now, and this is about" in told["explanation"]["because"][0]
    (command,) = told["explanation"]["moves"]
    assert typed(repository, command).returncode == 0
    assert tasks.record(repository, "look").state == "CANCELLED"
