"""log: what an agent printed, and a following that ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from conductor_git.names import TaskId
from conductor_git.project import open_project
from tests import kit
from tests.integration.agents import WAIT, attempt_of, launch, worktree
from tests.kit import tasks


def test_log_follows_until_the_agent_has_ended(repository: Path) -> None:
    launch(repository, "echo one; until [ -e go ]; do sleep 0.02; done; echo two")
    follower = subprocess.Popen(
        [kit.console_script(), "log", "prices", "-f"], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    with follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "one\n"
        (worktree(repository) / "go").touch()
        assert follower.stdout.read() == "two\n"

    assert follower.returncode == 0


def test_following_a_log_ends_where_agent_and_supervisor_are_both_gone(repository: Path) -> None:
    attempt = launch(repository, f"echo hello; {WAIT}")
    assert attempt.supervisor is not None
    assert attempt.process is not None
    for process in (attempt.supervisor, attempt.process):
        os.kill(process.pid, signal.SIGKILL)

    followed = kit.conductor("log", "prices", "-f", cwd=repository)

    assert (followed.code, followed.out) == (0, "hello\n")
    assert attempt_of(repository).ended_at is None


def test_attempts_are_counted_from_the_first_also_where_old_ones_are_not_on_record_any_more(repository: Path) -> None:
    attempt = launch(repository, "echo sixth")
    kit.until(lambda: tasks.record(repository, "prices").attempts[-1].ended_at)
    open_project(repository).runs.update(TaskId("prices"), lambda run: replace(run, attempts_before=5))

    shown = kit.conductor("log", "prices", "--attempt", "6", cwd=repository)

    assert attempt.agent == "sh"
    assert shown.out == "sixth\n"
    tasks.refused(kit.conductor("log", "prices", "--attempt", "1", "--json", cwd=repository), "NOT_FOUND", 18)
    tasks.refused(kit.conductor("log", "prices", "--attempt", "7", "--json", cwd=repository), "NOT_FOUND", 18)
