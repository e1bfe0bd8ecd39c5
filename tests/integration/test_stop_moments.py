"""stop, whenever it comes: nothing starts afterwards, it is on record, and no process of the run is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_git.processtable import is_alive
from conductor_git.run import Doing, End, Run
from tests import kit
from tests.integration.agents import WAIT, launch
from tests.integration.supervised import DONE, PRICES, prepared, processes_of, said, settled
from tests.kit import tasks

TOP = Path(__file__).parents[2]


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    if (repository / ".git" / "conductor" / "tasks" / PRICES).exists():
        kit.conductor("stop", PRICES, cwd=repository)


def stopped(repository: Path) -> bool:
    """`stop`; returns whether there was something to stop, once nothing is left."""
    done = kit.conductor("stop", PRICES, "--json", cwd=repository)
    assert done.code == 0, done
    settled(repository)
    return bool(done.document["stopped"])


def later(repository: Path) -> Run:
    """The record, with the assertion that `stop` has nothing to stop any more."""
    before = tasks.record(repository, PRICES)
    assert stopped(repository) is False
    assert tasks.record(repository, PRICES) == before
    return before


@pytest.mark.parametrize(
    ("moment", "state", "ends"), [("begin", "ASSIGNED", []), ("entered", "WORKING", [(End.STOPPED, None)])]
)
def test_stop_before_an_agent_is_launched_keeps_it_from_being_launched(
    repository: Path, tmp_path: Path, moment: str, state: str, ends: list[tuple[End, int | None]]
) -> None:
    project = prepared(repository, "touch", str(tmp_path / "ran"))
    place = [str(project.layout.common_dir), str(repository), PRICES, moment, str(tmp_path / "halted")]
    with subprocess.Popen([sys.executable, "-m", "tests.integration.halting", *place], cwd=TOP) as supervisor:
        kit.until((tmp_path / "halted").exists)

        assert stopped(repository) is True

        assert supervisor.wait() == 0
    run = later(repository)
    assert (run.state, [(attempt.end, attempt.pid) for attempt in run.attempts]) == (state, ends)
    assert not (tmp_path / "ran").exists()
    assert [message.type for message in said(repository, "RUN_START", "RUN_CRASH")] == []


def test_stop_while_an_agent_works_ends_it_and_starts_no_other(repository: Path) -> None:
    launch(repository, WAIT)

    assert stopped(repository) is True

    run = later(repository)
    assert (run.state, [attempt.end for attempt in run.attempts]) == ("WORKING", [End.STOPPED])


def test_stop_in_the_pause_after_an_attempt_starts_no_other(repository: Path) -> None:
    doing(repository, "exit 1", Doing.BACKOFF, CONDUCTOR_LIMITS_BACKOFF="1h")

    assert stopped(repository) is True

    assert [attempt.end for attempt in later(repository).attempts] == [End.EXITED]


def test_stop_in_the_wait_after_done_ends_what_goes_on_and_leaves_the_task_in_review(
    repository: Path, tmp_path: Path
) -> None:
    script = f"sleep 600 & {DONE}; touch {tmp_path / 'done'}; wait"
    doing(repository, script, Doing.ATTEMPT, CONDUCTOR_LIMITS_AFTER_DONE="1h")
    kit.until((tmp_path / "done").exists)
    assert len(processes_of(tasks.record(repository, PRICES))) >= 2

    assert stopped(repository) is True

    run = later(repository)
    assert (run.state, [attempt.end for attempt in run.attempts]) == ("IN_REVIEW", [End.STOPPED])


def doing(repository: Path, script: str, what: Doing, **variables: str) -> None:
    """Launch `prices` and wait until its supervisor is at that."""
    done = kit.conductor("spawn", PRICES, "--", "sh", "-c", script, cwd=repository, env=variables)
    assert done.code == 0, done

    def is_at_it() -> bool:
        supervision = tasks.record(repository, PRICES).supervision
        return supervision is not None and supervision.doing is what

    kit.until(is_at_it)


@pytest.mark.parametrize("supervised", [True, False], ids=["with a supervisor", "whose supervisor was killed"])
def test_two_stops_at_once_end_it_once(repository: Path, supervised: bool) -> None:
    attempt = launch(repository, f"sleep 600 & {WAIT}")
    supervisor = attempt.supervisor
    assert supervisor is not None
    if not supervised:
        os.kill(supervisor.pid, signal.SIGKILL)
        kit.until(lambda: not is_alive(supervisor))
    command = [str(kit.console_script()), "stop", PRICES, "--json"]

    both = [subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) for _ in range(2)]
    answers = [each.communicate()[0] for each in both]

    assert [each.returncode for each in both] == [0, 0], answers
    run = later(repository)
    assert [attempt.end for attempt in run.attempts] == [End.STOPPED]
    assert [message.body for message in said(repository, "RUN_STOP")] == ["sh was stopped"]
