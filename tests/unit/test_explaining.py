"""What is said of an agent and of commands, for facts that are hard to bring about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conductor_git.names import CommitId, RunId, TaskId
from conductor_git.run import Attempt, End, Event, ProcessId, Run, State, Step
from conductor_git.workflow.explain import explain
from conductor_git.workflow.explaining import commands
from conductor_git.workflow.explaining.agent import agent_lines
from conductor_git.workflow.explaining.facts import Facts, Tree
from conductor_git.workflow.looking.health import Health

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BASE = CommitId("1" * 40)
ATTEMPT = Attempt(
    RunId("r1"), "sh", 77, 1.0, 77, NOON, ended_at=NOON + timedelta(minutes=2), end=End.EXITED, exit_code=0
)
RUN = Run(
    project_id="p",
    task_id=TaskId("prices"),
    title="Prices",
    state=State.WORKING,
    branch="worker/prices",
    target="main",
    base_commit=BASE,
    worktree="/x/prices",
    agent="sh",
    created_at=NOON,
    updated_at=NOON,
    history=(Step(1, Event.SPAWN, State.ASSIGNED, NOON, "ada"), Step(2, Event.START, State.WORKING, NOON, "ada")),
    attempts=(ATTEMPT,),
)


def told(run: Run, health: Health) -> str:
    (line,) = agent_lines(Facts(run=run, now=NOON + timedelta(minutes=5), health=health))
    return line


def with_attempt(attempt: Attempt) -> Run:
    return replace(RUN, attempts=(attempt,))


def sent_back(minute: int) -> Run:
    back = Step(3, Event.REQUEST_CHANGES, State.WORKING, NOON + timedelta(minutes=minute), "ada")
    return replace(RUN, history=(*RUN.history, back))


def test_an_agent_that_ended_is_told_with_its_exit_code_or_signal() -> None:
    killed = replace(ATTEMPT, exit_code=None, signal="SIGKILL", end=End.KILLED)

    assert told(RUN, Health.DETACHED) == "its agent sh ended without `done`, 3m ago"
    assert told(with_attempt(killed), Health.DETACHED) == "its agent sh was ended by SIGKILL, 3m ago"


def test_an_agent_whose_end_nobody_saw_has_no_exit_code() -> None:
    lost = replace(ATTEMPT, exit_code=None, end=End.LOST)

    assert told(with_attempt(lost), Health.DETACHED) == "its agent sh vanished together with its supervisor, 3m ago"


def test_an_agent_that_has_no_process_yet_is_being_started() -> None:
    begun = replace(ATTEMPT, pid=None, pid_started=None, ended_at=None, end=None, supervisor=ProcessId(7, 1.0))

    assert told(with_attempt(begun), Health.ALIVE) == "its agent sh is being started"


def test_only_an_end_before_the_task_was_sent_back_is_told_as_such() -> None:
    assert told(sent_back(3), Health.DETACHED).endswith("3m ago, before the task was sent back")
    assert told(sent_back(1), Health.DETACHED).endswith("3m ago")


def test_nothing_is_said_to_be_on_a_branch_that_is_gone() -> None:
    facts = Facts(run=RUN, now=NOON, health=Health.DETACHED, tip=None, tree=Tree(is_there=False))

    because = explain(facts).because

    assert "its branch worker/prices is gone" in because
    assert "its worktree /x/prices is gone" in because


@pytest.mark.parametrize(
    ("command", "looks"),
    [
        (commands.git_in("/x/a place", "status"), True),
        (commands.ours("diff", RUN), True),
        (commands.ours("done", RUN), False),
        (commands.git_in("/x", "rebase", "status"), False),
        (commands.git_in("/x", "stash", "push", "--all", "--", "status"), False),
        (commands.branch_again(RUN), False),
    ],
)
def test_a_command_only_looks_where_it_changes_nothing_whatever_it_is_about(command: str, looks: bool) -> None:
    assert commands.only_looks(command) is looks
