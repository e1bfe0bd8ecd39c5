"""Agents that go on after their task has moved on: what is left of them ends, is on record, and keeps no worktree."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_git.processtable import is_alive
from conductor_git.run import Run
from tests import kit
from tests.integration import plans
from tests.integration.supervised import DONE, processes_of, settled
from tests.kit import tasks

LINGER = f"{DONE}; while [ ! -e ../go ]; do sleep 0.05; done"
GIVE_UP = "conductor-git fail -m 'too hard'; exec sleep 600"


@pytest.fixture(autouse=True)
def _ended(repository: Path) -> Iterator[None]:
    yield
    plans.stop_all(repository)


def spawn(repository: Path, script: str) -> Run:
    assert kit.conductor("spawn", "prices", "--", "sh", "-c", script, cwd=repository).code == 0
    return tasks.record(repository, "prices")


def is_in(repository: Path, state: str) -> bool:
    return tasks.record(repository, "prices").state == state


def without_its_supervisor(repository: Path, state: str) -> Run:
    """The task once it has come to `state` and its supervisor was killed; its agent lives."""
    kit.until(lambda: is_in(repository, state))
    run = tasks.record(repository, "prices")
    assert run.supervision is not None
    os.kill(run.supervision.process.pid, signal.SIGKILL)
    assert processes_of(run)
    return run


def test_the_worktree_of_a_task_that_landed_while_its_agent_went_on_goes_when_that_ends(repository: Path) -> None:
    worktree = Path(spawn(repository, LINGER).worktree)
    kit.until(lambda: is_in(repository, "IN_REVIEW"))
    tasks.approve(repository, "prices")
    landed = tasks.landed(tasks.merge(repository, "prices"))
    assert "still at work" in landed["cleanup"]["kept_because"]
    assert worktree.exists()
    supervision = tasks.record(repository, "prices").supervision
    assert supervision is not None

    (worktree.parent / "go").touch()

    kit.until(lambda: not is_alive(supervision.process))
    assert not worktree.exists()
    assert kit.git(repository, "branch", "--list", "worker/*") == ""
    run = settled(repository)
    assert run.landing is not None
    assert run.landing.phase == "ended"


def test_a_worktree_that_was_to_stay_stays_when_its_agent_ends(repository: Path) -> None:
    worktree = Path(spawn(repository, LINGER).worktree)
    kit.until(lambda: is_in(repository, "IN_REVIEW"))
    tasks.approve(repository, "prices")
    tasks.landed(tasks.merge(repository, "prices", "--no-cleanup"))
    supervision = tasks.record(repository, "prices").supervision
    assert supervision is not None

    (worktree.parent / "go").touch()

    kit.until(lambda: not is_alive(supervision.process))
    settled(repository)
    assert worktree.exists()


@pytest.mark.parametrize(("script", "state"), [(LINGER, "IN_REVIEW"), (GIVE_UP, "FAILED")])
def test_an_agent_that_goes_on_without_its_supervisor_is_ended_by_resume_where_its_task_is_not_its_own_any_more(
    repository: Path, monkeypatch: pytest.MonkeyPatch, script: str, state: str
) -> None:
    monkeypatch.setenv("CONDUCTOR_LIMITS_AFTER_DONE", "1s")
    spawn(repository, script)
    without_its_supervisor(repository, state)

    resumed = kit.conductor("resume", "prices", cwd=repository)

    assert resumed.code == 0, resumed
    kit.until(lambda: not tasks.record(repository, "prices").supervision)
    run = settled(repository)
    assert (run.state, len(run.attempts)) == (state, 1)
    assert kit.conductor("resume", "prices", cwd=repository).code != 0


def test_a_plan_sees_to_what_an_agent_left_whose_supervisor_was_killed(repository: Path) -> None:
    plans.prepared(repository, fast=LINGER)
    path = plans.written(repository, "agent: fast\ntasks: {prices: {prompt: x}}")
    assert plans.run(repository, path).code == 1
    without_its_supervisor(repository, "IN_REVIEW")

    again = plans.run(repository, path)

    assert again.code == 1, again
    assert "prices goes on: its supervisor is gone" in again.err
    kit.until(lambda: not tasks.record(repository, "prices").supervision)
    assert len(settled(repository).attempts) == 1
