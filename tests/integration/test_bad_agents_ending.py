"""Agents that end badly, or will not end: what is on record of it, what follows, and that nothing of them is left."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from conductor_git.escape import Fingerprint
from conductor_git.process import identify
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import End, ProcessId, Run, State
from conductor_git.runner.child import Child
from conductor_git.runner.supervising import ending
from tests import kit
from tests.integration.supervised import (
    DONE,
    PRICES,
    OwnWorld,
    by_shell,
    plain_prompt,
    prepared,
    said,
    settled,
    supervised,
)

ORPHAN = """
import os, signal, sys, time
if os.fork() or os.setsid() or os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
for stream in (0, 1, 2):
    os.dup2(os.open(os.devnull, os.O_RDWR), stream)
os.chdir("/")
with open(sys.argv[1] + ".part", "w") as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""
"""A daemon: a session of its own, no terminal, no parent but init, deaf to TERM."""


def orphan(file: Path, *, clean: bool = False) -> str:
    """A shell command that starts ORPHAN and returns once that has told its number."""
    cleared = 'env -i CONDUCTOR_RUN_ID="$CONDUCTOR_RUN_ID" ' if clean else ""
    told = shlex.quote(str(file))
    return (
        f"{cleared}{shlex.quote(sys.executable)} -c {shlex.quote(ORPHAN)} {told}; "
        f"while [ ! -e {told} ]; do sleep 0.02; done"
    )


def process_in(file: Path) -> ProcessId:
    found = identify(int(kit.until(lambda: file.read_text() if file.exists() else "")))
    assert found is not None
    return found


def test_a_sigkill_is_the_recorded_end_and_the_next_attempt_follows(repository: Path) -> None:
    script = f"[ -e ../once ] && {{ {DONE}; exit; }}; touch ../once; echo 'so hungry' >&2; kill -KILL $$"
    world = OwnWorld()

    run = by_shell(repository, script, world)

    first, second = run.attempts
    assert (first.end, first.signal, first.exit_code) == (End.KILLED, "SIGKILL", None)
    assert second.end is End.EXITED
    assert run.state is State.IN_REVIEW
    (crash,) = said(repository, "RUN_CRASH")
    assert crash.body == "sh was ended by SIGKILL: so hungry"
    assert (crash.meta["end"], crash.meta["signal"]) == ("killed", "SIGKILL")
    assert len(world.pauses) == 1, "one pause, before the second attempt"


class Hasty(OwnWorld):
    """Waits end a second before their time, where they are longer than that."""

    def wait(self, seconds: float, child: Child | None = None) -> None:
        super().wait(seconds - 1 if child is None and seconds > 1 else seconds, child)


def test_a_wait_for_a_provider_that_ends_a_moment_early_is_told_once(repository: Path) -> None:
    script = f"[ -e ../once ] && {{ {DONE}; exit; }}; touch ../once; echo 'rate limit exceeded' >&2; exit 1"
    world = Hasty()

    run = by_shell(repository, script, world)

    assert [attempt.end for attempt in run.attempts] == [End.LIMITED, End.EXITED]
    assert len(world.pauses) == 2, "the wait, and what was left of it"
    assert len([told for told in said(repository, "INFO") if told.meta.get("event") == "limit"]) == 1


def test_after_the_last_attempt_the_reason_names_the_signal(repository: Path) -> None:
    run = by_shell(repository, "kill -KILL $$", attempts="2")

    assert run.state is State.FAILED
    assert run.reason == "2 attempts ended without `done`; the last, by sh, was ended by SIGKILL"


def test_a_sigkill_while_the_kernel_killed_for_want_of_memory_is_told_as_that(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = iter([7, 8])
    monkeypatch.setattr(ending, "out_of_memory_kills", lambda: next(kills))

    run = by_shell(repository, "kill -KILL $$", attempts="1")

    assert run.reason == "sh was ended by SIGKILL: the system was out of memory"


@pytest.mark.parametrize(("kills", "kind"), [((7, 7), "SIGKILL"), ((7, 8), "SIGSEGV"), ((None, 8), "SIGKILL")])
def test_no_other_end_is_told_as_want_of_memory(
    repository: Path, monkeypatch: pytest.MonkeyPatch, kills: tuple[int | None, int], kind: str
) -> None:
    counts = iter(kills)
    monkeypatch.setattr(ending, "out_of_memory_kills", lambda: next(counts))

    run = by_shell(repository, f"kill -{kind[3:]} $$", attempts="1")

    assert run.reason == f"sh was ended by {kind}"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between TERM and KILL there is a moment only."""
    monkeypatch.setattr(ending, "GRACE_SECONDS", 0.2)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("clean", [False, True], ids=["its environment", "an environment of the marker alone"])
def test_a_fork_in_a_session_of_its_own_does_not_outlive_its_attempt(
    repository: Path, tmp_path: Path, clean: bool
) -> None:
    run = by_shell(repository, f"{orphan(tmp_path / 'pid', clean=clean)}; exit 1", attempts="1")

    assert not is_alive_in(tmp_path / "pid")
    assert run.attempts[0].exit_code == 1
    settled(repository)


def is_alive_in(file: Path) -> bool:
    found = identify(int(file.read_text()))
    return found is not None and is_alive(found)


@pytest.mark.usefixtures("_impatient")
def test_a_fork_of_the_first_attempt_is_gone_when_the_second_one_begins(repository: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    tell = f"[ -n \"$(tr -d '\\0' < /proc/$(cat {pid})/cmdline)\" ] && echo alive > ../seen || echo gone > ../seen"

    by_shell(repository, f"[ -e {pid} ] && {{ {tell}; exit 1; }}; {orphan(pid)}; exit 1", attempts="2")

    assert (repository.parent / "acme.worktrees" / "seen").read_text() == "gone\n"
    settled(repository)


@pytest.mark.usefixtures("_impatient")
def test_an_agent_that_is_deaf_to_term_is_killed_after_a_moment_at_its_time_limit(repository: Path) -> None:
    script = "trap '' TERM HUP INT; echo on > ../on; while :; do sleep 600; done"
    world = OwnWorld()
    project = prepared(repository, "sh", "-c", script)
    on = repository.parent / "acme.worktrees" / "on"
    world.look = lambda: setattr(world, "ahead", 3600.0 if on.exists() else 0.0)

    run = supervised(project, world, attempts="1", attempt_time="30m")

    assert (run.attempts[0].end, run.attempts[0].signal) == (End.TIMED_OUT, "SIGKILL")
    assert run.reason == "sh ran out of time"
    settled(repository)


@pytest.mark.usefixtures("_impatient")
def test_what_goes_on_after_done_is_waited_for_and_then_ended(repository: Path, tmp_path: Path) -> None:
    world = OwnWorld()
    project = prepared(repository, "sh", "-c", f"{orphan(tmp_path / 'pid')}; {DONE}; trap '' TERM; sleep 600")
    looks: list[bool] = []

    def look() -> None:
        if project.runs.get(PRICES).state is State.IN_REVIEW:
            looks.append(is_alive_in(tmp_path / "pid"))
            world.ahead += 20.0

    world.look = look
    run = supervised(project, world, after_done="1m")

    assert looks[:3] == [True] * 3, "for a minute nobody touches it"
    assert (run.state, len(run.attempts)) == (State.IN_REVIEW, 1)
    assert not is_alive_in(tmp_path / "pid")
    settled(repository)


def test_a_limit_on_the_cost_ends_an_attempt_that_goes_on_talking(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = tmp_path / "bin" / "claude"
    agent.parent.mkdir()
    word = '{"type":"result","subtype":"success","is_error":false,"result":"more","total_cost_usd":2.5,"usage":{}}'
    agent.write_text(f"#!/bin/sh\n[ $1 = --version ] && exec echo 2.1.83\necho '{word}'\nexec sleep 600\n")
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{agent.parent}{os.pathsep}{os.environ['PATH']}")

    run = supervised(prepared(repository, agent="claude"), cost_usd="2")

    assert (run.attempts[0].end, run.attempts[0].cost_usd) == (End.COST, 2.5)
    assert run.reason == "its attempts cost $2.50, and limits.cost_usd is $2.00"
    settled(repository)


def test_a_bus_that_takes_no_more_leaves_no_agent_alone(repository: Path) -> None:
    project = prepared(repository, "sh", "-c", "exec sleep 600")
    marker = Path(f"{project.layout.state_dir / 'MESSAGE-BUS.md'}.halted")
    world = OwnWorld()
    world.look = lambda: setattr(world, "is_told_to_end", True)

    def halting(project: Project, run: Run, edits: bool) -> bytes:
        marker.write_text("the disk was full\n")
        return plain_prompt(project, run, edits)

    run = supervised(project, world, prompting=halting)

    marker.unlink()
    assert said(repository, "RUN_START") == []
    assert [(attempt.end, attempt.signal) for attempt in run.attempts] == [(End.STOPPED, "SIGTERM")]
    settled(repository)


# --- what an agent does to the main checkout


def test_a_file_that_an_agent_leaves_in_the_main_checkout_is_told_once_for_the_attempt_that_did_it(
    repository: Path,
) -> None:
    main = shlex.quote(str(repository))
    script = f"n=$(ls ../n.* 2>/dev/null | wc -l); touch ../n.$n; [ $n != 1 ] && echo $n > {main}/strange.$n; exit 1"

    run = by_shell(repository, script)

    escapes = [message for message in said(repository, "ERROR") if message.meta.get("warning") == "ESCAPE"]
    assert [(message.run_id, message.body) for message in escapes] == [
        (attempt.run_id, f"ESCAPE: {repository} changed while prices ran: strange.{number}")
        for number, attempt in ((0, run.attempts[0]), (2, run.attempts[2]))
    ]


def test_a_tracked_file_and_the_branch_of_the_main_checkout_are_seen_too(repository: Path) -> None:
    main = shlex.quote(str(repository))
    script = (
        f"echo more >> {main}/README.md; git -C {main} -c core.hooksPath=/dev/null checkout -q -b elsewhere; exit 1"
    )

    by_shell(repository, script, attempts="1")

    (escape,) = [message for message in said(repository, "ERROR") if message.meta.get("warning") == "ESCAPE"]
    assert escape.body == f"ESCAPE: {repository} changed while prices ran: HEAD, README.md"


def test_what_a_person_left_uncommitted_before_is_nobodys_escape(repository: Path) -> None:
    (repository / "README.md").write_text("half a thought\n")
    (repository / "note.txt").write_text("mine\n")

    by_shell(repository, "exit 1", attempts="2")

    assert [message for message in said(repository, "ERROR") if message.meta.get("warning") == "ESCAPE"] == []
    assert Fingerprint("ref: refs/heads/main").differs(Fingerprint("ref: refs/heads/main"), {}) == ()
