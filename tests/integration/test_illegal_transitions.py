"""Every (state, command) pair: what the diagram allows moves the task there, everything else changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from conductor_git.run import State
from tests import kit
from tests.integration.traces import traces
from tests.kit import tasks

COMMANDS: Final = ("start", "done", "approve", "request-changes", "merge", "cancel", "fail", "retry")

ALLOWED: Final = {
    (State.ASSIGNED, "start"): State.WORKING,
    (State.ASSIGNED, "cancel"): State.CANCELLED,
    (State.ASSIGNED, "fail"): State.FAILED,
    (State.WORKING, "done"): State.IN_REVIEW,
    (State.WORKING, "cancel"): State.CANCELLED,
    (State.WORKING, "fail"): State.FAILED,
    (State.IN_REVIEW, "done"): State.IN_REVIEW,
    (State.IN_REVIEW, "approve"): State.APPROVED,
    (State.IN_REVIEW, "request-changes"): State.WORKING,
    (State.IN_REVIEW, "cancel"): State.CANCELLED,
    (State.IN_REVIEW, "fail"): State.FAILED,
    (State.APPROVED, "done"): State.APPROVED,
    (State.APPROVED, "approve"): State.APPROVED,
    (State.APPROVED, "request-changes"): State.WORKING,
    (State.APPROVED, "merge"): State.COMPLETED,
    (State.APPROVED, "cancel"): State.CANCELLED,
    (State.APPROVED, "fail"): State.FAILED,
    (State.COMPLETED, "merge"): State.COMPLETED,
    (State.FAILED, "retry"): State.ASSIGNED,
    (State.CANCELLED, "retry"): State.ASSIGNED,
}


def assigned(repository: Path) -> None:
    assert kit.conductor("spawn", "prices", cwd=repository).code == 0


def working(repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), {"src/new.py": "NEW = 1\n"})


def in_review(repository: Path) -> None:
    working(repository)
    tasks.hand_in(repository, "prices")


def approved(repository: Path) -> None:
    in_review(repository)
    tasks.approve(repository, "prices")


def completed(repository: Path) -> None:
    approved(repository)
    tasks.landed(tasks.merge(repository, "prices", "--no-cleanup"))


def failed(repository: Path) -> None:
    working(repository)
    assert kit.conductor("fail", "prices", cwd=repository).code == 0


def cancelled(repository: Path) -> None:
    working(repository)
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0


BRING_TO: Final[dict[State, Callable[[Path], None]]] = {
    State.ASSIGNED: assigned,
    State.WORKING: working,
    State.IN_REVIEW: in_review,
    State.APPROVED: approved,
    State.COMPLETED: completed,
    State.FAILED: failed,
    State.CANCELLED: cancelled,
}


@pytest.mark.parametrize("state", State)
def test_what_the_diagram_does_not_allow_is_refused_and_changes_nothing(repository: Path, state: State) -> None:
    BRING_TO[state](repository)
    before = traces(repository)
    illegal = [command for command in COMMANDS if (state, command) not in ALLOWED]

    for command in illegal:
        error = tasks.refused(kit.conductor(command, "prices", "--json", cwd=repository), "ILLEGAL_TRANSITION", 12)
        assert (error["task_id"], error["state"]) == ("prices", str(state)), command
        assert traces(repository) == before, command

    assert len(illegal) == len(COMMANDS) - sum(pair[0] is state for pair in ALLOWED)


@pytest.mark.parametrize(("state", "command"), ALLOWED, ids=str)
def test_what_the_diagram_allows_moves_the_task_there(repository: Path, state: State, command: str) -> None:
    BRING_TO[state](repository)

    done = kit.conductor(command, "prices", "--json", cwd=repository)

    assert done.code == 0, done
    document = done.document["task"]
    assert document["state"] == ALLOWED[state, command]
    assert tasks.record(repository, "prices").state == ALLOWED[state, command]
    needed = {"task_id", "state", "branch", "head_commit", "base_commit", "target", "merge_commit"}
    assert needed <= document.keys()
    steps = [step.state for step in tasks.record(repository, "prices").history]
    told = kit.conductor("bus", "read", "--type", "STATE", "--json", cwd=repository).document["messages"]
    assert [message["meta"]["to"] for message in told] == steps, "bus and record agree"


@pytest.mark.parametrize("state", State)
def test_the_hint_of_a_refusal_is_a_command_that_is_possible_there(repository: Path, state: State) -> None:
    BRING_TO[state](repository)
    illegal = next(command for command in COMMANDS if (state, command) not in ALLOWED)

    error = kit.conductor(illegal, "prices", "--json", cwd=repository).document["error"]

    program, command, task_id = error["hint"].split()
    assert (program, task_id) == ("conductor-git", "prices")
    assert (state, command) in ALLOWED or command == "show"
