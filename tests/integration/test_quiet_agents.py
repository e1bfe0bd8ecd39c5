"""Silence: told once, ends nobody, costs nothing; and health by process, heartbeat and activity, in that order."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor_git import heartbeat
from conductor_git.processtable import is_alive
from conductor_git.project import open_project
from conductor_git.run import Attempt, End, ProcessId, utcnow
from conductor_git.runner.supervising.beating import beating
from conductor_git.workflow.looking.health import signs
from tests import kit
from tests.integration.agents import WAIT, launch
from tests.integration.supervised import PRICES, OwnWorld, prepared, processes_of, said, settled, supervised
from tests.kit import tasks

HOUR = 3600.0
DAYS_AGO = 1_700_000_000
LISTENS = 'while read word; do [ "$word" = end ] && exit 1; echo "$word"; done < ../words'
"""Says what it is told, through a fifo beside its worktree."""


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    if (repository / ".git" / "conductor" / "tasks" / PRICES).exists():
        kit.conductor("stop", PRICES, cwd=repository)


def quiet(repository: Path) -> int:
    """How often it was told that an agent is quiet."""
    return len([message for message in said(repository, "INFO") if message.meta.get("event") == "quiet"])


def state_of(repository: Path) -> dict[str, bytes]:
    """Every file of the state directory; what is only touched is there with nothing in it."""
    top = repository / ".git" / "conductor"
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def test_an_agent_that_says_nothing_for_an_hour_is_told_of_once_and_goes_on(repository: Path) -> None:
    project = prepared(repository, "sh", "-c", LISTENS)
    words = repository.parent / "acme.worktrees" / "words"
    os.mkfifo(words)
    writer = os.open(words, os.O_RDWR)
    world, told = OwnWorld(), []
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks % 4:
            return
        told.append(quiet(repository))
        if len(told) in (1, 3, 5):  # two hours of silence in steps of twenty minutes, a word, and the same again
            world.ahead += HOUR
        elif len(told) == 6:
            os.write(writer, b"word\n")
            kit.until(lambda: b"word" in log(repository))
        elif len(told) in (8, 10):
            world.ahead += HOUR
        elif len(told) == 12:
            os.write(writer, b"end\n")

    world.look = look
    run = supervised(project, world, attempts="1", attempt_time="1d", quiet_after="10m")
    os.close(writer)

    assert told == [0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2]
    assert (run.attempts[0].end, run.attempts[0].exit_code) == (End.EXITED, 1), "nobody ended it"
    words_said = [message.body for message in said(repository, "INFO")]
    assert words_said == ["sh has given no sign for 10m"] * 2


def log(repository: Path) -> bytes:
    attempt = tasks.record(repository, PRICES).attempts[-1]
    return (open_project(repository).layout.attempt(PRICES, attempt.run_id) / "stdout.log").read_bytes()


def test_an_idle_hour_writes_nothing_and_starts_nothing(repository: Path) -> None:
    project = prepared(repository, "sh", "-c", WAIT)
    world, states, processes = OwnWorld(), [], []

    def look() -> None:
        states.append(state_of(repository))
        processes.append(processes_of(tasks.record(repository, PRICES)))
        world.ahead += 60.0
        world.is_told_to_end = len(states) >= 60

    world.look = look
    supervised(project, world, attempt_time="1d", quiet_after="2h")

    assert len(states) == 60
    assert [names_of_changes(states[0], later) for later in states[1:]] == [[]] * 59
    assert processes == [processes[0]] * 60
    assert len(processes[0]) == 1
    assert tasks.record(repository, PRICES).attempts[0].end is End.STOPPED
    settled(repository)


def names_of_changes(before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def test_an_agent_that_is_done_is_not_told_to_be_quiet(repository: Path) -> None:
    script = "echo 1 > new.txt; git add new.txt; git commit -qm new; conductor-git done; exec sleep 600"
    project = prepared(repository, "sh", "-c", script)
    world = OwnWorld()

    def look() -> None:
        if tasks.record(repository, PRICES).state == "IN_REVIEW":
            world.ahead += HOUR

    world.look = look
    supervised(project, world, after_done="5h", attempt_time="1d")

    assert quiet(repository) == 0


# --- a machine that sleeps


def test_what_the_machine_slept_through_is_nobodys_silence_and_ends_nobody(repository: Path) -> None:
    project = prepared(repository, "sh", "-c", WAIT)
    world, told = OwnWorld(), []

    def look() -> None:
        told.append(quiet(repository))
        if len(told) == 3:
            world.slept += 8 * HOUR
        world.is_told_to_end = len(told) >= 8

    world.look = look
    run = supervised(project, world, attempt_time="1h", quiet_after="10m")

    assert told == [0] * 8
    assert run.attempts[0].end is End.STOPPED, "its hour is counted while the machine is awake"


def test_a_clock_that_is_set_back_makes_nobody_quiet(repository: Path) -> None:
    project = prepared(repository, "sh", "-c", WAIT)
    world, told = OwnWorld(), []

    def look() -> None:
        told.append(quiet(repository))
        world.slept -= 600.0
        world.is_told_to_end = len(told) >= 6

    world.look = look
    supervised(project, world, quiet_after="1m")

    assert told == [0] * 6


def test_activity_is_moved_by_as_much_as_was_slept_and_never_beyond_now(repository: Path) -> None:
    layout = prepared(repository, "true").layout
    for last, slept, moved in ((1000.0, 500.0, 1500.0), (1000.0, 9000.0, 2000.0)):
        heartbeat.touch_activity(layout, PRICES, last)

        heartbeat.move_activity(layout, PRICES, slept, now=2000.0)

        assert heartbeat.last_activity(layout, PRICES) == moved


def test_where_nothing_was_ever_done_nothing_is_moved(repository: Path) -> None:
    layout = prepared(repository, "true").layout

    heartbeat.move_activity(layout, PRICES, 500.0, now=2000.0)

    assert heartbeat.last_activity(layout, PRICES) is None


def test_a_supervisor_beats_at_once_and_writes_nothing_by_it(repository: Path) -> None:
    layout = prepared(repository, "true").layout

    with beating(layout, PRICES):
        assert heartbeat.last_beat(layout, PRICES) is not None
        assert heartbeat.last_activity(layout, PRICES) is not None

    assert layout.heartbeat(PRICES).read_bytes() == layout.activity(PRICES).read_bytes() == b""


# --- health


def row(repository: Path) -> dict[str, object]:
    (found,) = kit.conductor("status", "--json", cwd=repository).document["tasks"]
    return dict(found)


def ended(*victims: ProcessId | None) -> None:
    for victim in victims:
        assert victim is not None
        os.kill(victim.pid, signal.SIGKILL)
        kit.until(lambda victim=victim: not is_alive(victim))  # type: ignore[misc]


def test_a_living_agent_without_a_sign_is_slow_and_is_left_alone(repository: Path) -> None:
    attempt = launch(repository, WAIT)
    project = open_project(repository)
    run = tasks.record(repository, PRICES)
    last = heartbeat.last_activity(project.layout, PRICES)
    assert last is not None
    then = datetime.fromtimestamp(last, UTC)

    assert signs(project, [run], then + timedelta(minutes=9, seconds=59))[0].health == "alive"
    assert signs(project, [run], then + timedelta(minutes=10, seconds=1))[0].health == "slow"

    os.utime(project.layout.activity(PRICES), (DAYS_AGO, DAYS_AGO))
    assert (row(repository)["health"], row(repository)["supervised"]) == ("slow", True)
    assert attempt.process is not None
    assert is_alive(attempt.process)


def test_a_fresh_heartbeat_does_not_make_a_silent_agent_lively(repository: Path) -> None:
    launch(repository, WAIT)
    layout = open_project(repository).layout
    os.utime(layout.activity(PRICES), (DAYS_AGO, DAYS_AGO))

    heartbeat.touch(layout, PRICES)

    assert row(repository)["health"] == "slow"


def test_what_limits_quiet_after_says_is_how_long_an_agent_may_be_silent(repository: Path) -> None:
    (repository / ".conductor.yaml").write_text("limits: {quiet_after: 2h}\n")
    launch(repository, WAIT)
    layout = open_project(repository).layout
    for seconds, said_of_it in ((7000, "alive"), (7400, "slow")):
        at = utcnow().timestamp() - seconds
        os.utime(layout.activity(PRICES), (at, at))

        assert row(repository)["health"] == said_of_it


def test_a_living_agent_of_a_dead_supervisor_is_alive_and_told_to_be_unsupervised(repository: Path) -> None:
    attempt = launch(repository, WAIT)
    ended(attempt.supervisor)

    assert (row(repository)["health"], row(repository)["supervised"]) == ("alive", False)

    os.utime(open_project(repository).layout.activity(PRICES), (DAYS_AGO, DAYS_AGO))
    assert (row(repository)["health"], row(repository)["supervised"]) == ("slow", False)


def test_a_dead_agent_of_a_dead_supervisor_is_dead_whatever_its_heartbeat_and_activity_say(repository: Path) -> None:
    attempt: Attempt = launch(repository, WAIT)
    ended(attempt.supervisor, attempt.process)
    layout = open_project(repository).layout

    heartbeat.touch(layout, PRICES)
    heartbeat.touch_activity(layout, PRICES)

    assert (row(repository)["health"], row(repository)["supervised"]) == ("dead", False)
