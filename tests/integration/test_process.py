"""Processes: recognised beyond their pid, started apart from us, and ended with everything they started."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from conductor_git import processtable
from conductor_git.errors import AgentFailed, StateUnwritable
from conductor_git.process import (
    detach,
    end_group,
    identify,
    is_alive,
    launch,
    signal_name,
    stragglers,
    wait_gone,
)
from conductor_git.run import ProcessId
from tests.integration.shells import DEAF, FOREVER, IN_A_SESSION
from tests.kit.waiting import until

RUN = f"20261120-101500123456-{os.getpid()}-1"
look_with_psutil = processtable._look_with_psutil  # noqa: SLF001 - what runs where there is no /proc


class Agent:
    """A shell command under `launch`, reaped when the test ends."""

    def __init__(self, directory: Path, script: str, **variables: str) -> None:
        self.out, self.err = directory / "stdout.log", directory / "stderr.log"
        environment = {"PATH": os.environ["PATH"], "CONDUCTOR_RUN_ID": RUN, **variables}
        self.child = launch(
            ["sh", "-c", script], cwd=directory, environment=environment, stdout=self.out, stderr=self.err
        )
        process = identify(self.child.pid)
        assert process is not None
        self.process = process

    def pid_in(self, path: Path) -> ProcessId:
        """The process whose pid the agent's script writes into `path`."""
        text = until(lambda: path.exists() and path.read_text().endswith("\n") and path.read_text())
        process = identify(int(text))
        assert process is not None
        return process


Start = Callable[..., Agent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Agent] = []

    def start_one(script: str, **variables: str) -> Agent:
        started.append(agent := Agent(tmp_path, script, **variables))
        return agent

    yield start_one
    for agent in started:
        end_group(agent.child.pid, RUN, grace=0)
        agent.child.kill()
        agent.child.wait()


@pytest.fixture
def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


# --- who is who


def test_a_process_is_recognised_by_pid_and_start_time(start: Start) -> None:
    agent = start(FOREVER)

    assert is_alive(agent.process)
    assert identify(agent.child.pid) == agent.process
    assert not is_alive(ProcessId(agent.process.pid, agent.process.started - 0.01))


def test_a_process_that_ended_is_not_alive_before_and_after_it_is_reaped(start: Start) -> None:
    agent = start("exit 3")

    until(lambda: not is_alive(agent.process))
    assert identify(agent.process.pid) == agent.process, "a zombie keeps its number"
    assert agent.child.wait() == 3
    assert identify(agent.process.pid) is None


def test_a_name_with_parentheses_and_spaces_hides_no_field(tmp_path: Path, environment: dict[str, str]) -> None:
    odd = tmp_path / "a) Z 1 (b"
    odd.symlink_to("/bin/sleep")
    process = detach(
        [str(odd), "600"], cwd=tmp_path, environment={**environment, "CONDUCTOR_RUN_ID": RUN}, log=tmp_path / "log"
    )

    assert is_alive(process)
    assert end_group(process.pid, RUN, grace=5) == (process,)


def test_the_portable_look_agrees_on_who_lives(start: Start) -> None:
    agent = start(FOREVER)
    alive = look_with_psutil(agent.process.pid)
    agent.child.kill()
    until(lambda: not is_alive(agent.process))
    zombie = look_with_psutil(agent.process.pid)
    agent.child.wait()

    assert alive is not None
    assert alive[1]
    assert zombie is not None
    assert not zombie[1]
    assert look_with_psutil(agent.process.pid) is None


# --- launching


def test_what_is_launched_leads_a_session_and_appends_to_private_logs(tmp_path: Path, start: Start) -> None:
    start("echo out; pwd").child.wait()
    agent = start("echo out; pwd; ps -o sid= -o pgid= -p $$ >&2")
    assert agent.child.wait() == 0

    pid = str(agent.child.pid)
    assert agent.out.read_text() == f"out\n{tmp_path}\n" * 2
    assert agent.err.read_text().split() == [pid, pid]
    assert stat.S_IMODE(agent.out.stat().st_mode) == stat.S_IMODE(agent.err.stat().st_mode) == 0o600


def test_what_is_launched_reads_the_given_file_or_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    prompt = tmp_path / "prompt.md"
    prompt.write_text("do it\n")
    for stdin in (prompt, None):
        child = launch(
            ["cat"],
            cwd=tmp_path,
            environment=environment,
            stdout=tmp_path / "out",
            stderr=tmp_path / "err",
            stdin=stdin,
        )
        assert child.wait() == 0

    assert (tmp_path / "out").read_text() == "do it\n"


def test_what_is_launched_holds_no_file_of_ours_open(tmp_path: Path, start: Start) -> None:
    with (tmp_path / "lock").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        agent = start(f"if : >&{file.fileno()}; then echo open; fi")
        agent.child.wait()

    assert agent.out.read_text() == ""


@pytest.mark.parametrize("command", [["no-such-agent", "--fast"], ["./no-such-agent"], ["./README"], [], ["a\0b"]])
def test_a_command_that_cannot_start_says_what_was_looked_for(
    tmp_path: Path, environment: dict[str, str], command: list[str]
) -> None:
    (tmp_path / "README").write_text("not a program\n")

    with pytest.raises(AgentFailed) as refused:
        launch(command, cwd=tmp_path, environment=environment, stdout=tmp_path / "o", stderr=tmp_path / "e")

    assert repr(command[0] if command else "") in refused.value.message
    assert (environment["PATH"] if "/" not in "".join(command) else str(tmp_path)) in refused.value.message
    assert refused.value.facts["command"] == command


def test_a_missing_directory_is_not_blamed_on_the_command(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(AgentFailed, match=r"'sh' could not be started: its directory is missing .*gone"):
        launch(["sh"], cwd=tmp_path / "gone", environment=environment, stdout=tmp_path / "o", stderr=tmp_path / "e")


def test_a_log_is_not_written_through_a_link(tmp_path: Path, environment: dict[str, str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("keep\n")
    (tmp_path / "o").symlink_to(secret)

    with pytest.raises(StateUnwritable):
        launch(["echo", "x"], cwd=tmp_path, environment=environment, stdout=tmp_path / "o", stderr=tmp_path / "e")
    assert secret.read_text() == "keep\n"


def test_a_detached_process_survives_the_end_of_its_starters_group(tmp_path: Path, environment: dict[str, str]) -> None:
    starter = tmp_path / "starter.py"
    starter.write_text(
        "import os, pathlib, time\n"
        "from conductor_git.process import detach\n"
        "here = pathlib.Path('.')\n"
        "child = detach(['sleep', '600'], cwd=here, environment=dict(os.environ), log=here / 'log')\n"
        "print(child.pid, child.started, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, starter],
        cwd=tmp_path,
        env=environment | {"CONDUCTOR_RUN_ID": RUN},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        pid, started = parent.stdout.readline().split()
        for each in (signal.SIGHUP, signal.SIGKILL):
            os.killpg(parent.pid, each)
    child = ProcessId(int(pid), float(started))

    assert is_alive(child)
    assert stragglers(RUN) == (child,)
    assert end_group(child.pid, RUN, grace=5) == (child,)


def test_a_detached_process_leaves_no_zombie_with_a_parent_that_lives_on(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    process = detach(["true"], cwd=tmp_path, environment=environment, log=tmp_path / "log")

    until(lambda: identify(process.pid) is None)


# --- ending


def test_ending_a_group_ends_child_and_grandchild(tmp_path: Path, start: Start) -> None:
    agent = start("sleep 600 & echo $! > child; wait")
    child = agent.pid_in(tmp_path / "child")

    assert set(end_group(agent.child.pid, RUN, grace=5)) == {agent.process, child}
    assert not is_alive(agent.process)
    assert not is_alive(child)


def test_the_exit_of_what_was_ended_is_still_there_for_its_parent(start: Start) -> None:
    agent = start(FOREVER)

    end_group(agent.child.pid, RUN, grace=5)
    assert agent.child.wait() == -signal.SIGTERM


def test_what_ignores_term_is_killed_after_the_grace(tmp_path: Path, start: Start) -> None:
    agent = start(DEAF)
    until((tmp_path / "deaf").exists)

    ended = end_group(agent.child.pid, RUN, grace=0.05)

    assert agent.process in ended
    assert agent.child.wait() == -signal.SIGKILL


def test_what_cleans_up_on_term_is_given_the_time_for_it(tmp_path: Path, start: Start) -> None:
    agent = start("trap 'sleep 0.3; touch cleaned; exit 0' TERM; touch ready; while :; do sleep 0.05; done")
    until((tmp_path / "ready").exists)

    end_group(agent.child.pid, RUN, grace=60)
    assert agent.child.wait() == 0
    assert (tmp_path / "cleaned").exists()


def test_a_stopped_process_is_woken_to_end(tmp_path: Path, start: Start) -> None:
    agent = start("trap 'touch cleaned; exit 0' TERM; touch ready; while :; do sleep 0.05; done")
    until((tmp_path / "ready").exists)
    os.kill(agent.child.pid, signal.SIGSTOP)

    end_group(agent.child.pid, RUN, grace=60)
    assert agent.child.wait() == 0


def test_a_child_in_a_session_of_its_own_is_found_by_the_run_in_its_environment(tmp_path: Path, start: Start) -> None:
    agent = start(f"{IN_A_SESSION} 'echo $$ > own; {FOREVER}' & wait")
    own = agent.pid_in(tmp_path / "own")
    assert os.getpgid(own.pid) != agent.child.pid

    assert set(stragglers(RUN)) >= {agent.process, own}
    assert own in end_group(agent.child.pid, RUN, grace=5)
    assert not is_alive(own)
    assert stragglers(RUN) == ()
    agent.child.wait()


def test_a_deaf_straggler_is_killed_also_when_its_group_is_long_gone(tmp_path: Path, start: Start) -> None:
    agent = start(f'{IN_A_SESSION} "echo \\$\\$ > own; {DEAF}" & exit 0')
    own = agent.pid_in(tmp_path / "own")
    until((tmp_path / "deaf").exists)
    agent.child.wait()

    assert own in end_group(agent.child.pid, RUN, grace=0.05)
    assert not is_alive(own)


def test_another_runs_processes_are_left_alone(start: Start) -> None:
    mine = start(FOREVER)
    other = start(FOREVER, CONDUCTOR_RUN_ID=f"{RUN}0")

    assert end_group(mine.child.pid, RUN, grace=5) == (mine.process,)
    assert is_alive(other.process)

    end_group(other.child.pid, f"{RUN}0", grace=5)
    mine.child.wait()
    other.child.wait()


def test_a_group_whose_number_went_to_strangers_is_left_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    # Not a child of ours, and without our run: as a process that was given the number of a group that ended.
    script = f"{IN_A_SESSION} 'echo $$ > pid; {FOREVER}' & exit 0"
    subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment, check=True)
    pid = until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    stranger = identify(int(pid))
    assert stranger is not None

    assert end_group(stranger.pid, RUN, grace=0) == ()
    assert end_group(stranger.pid, RUN, grace=0, leader=ProcessId(stranger.pid, stranger.started - 1)) == ()
    assert is_alive(stranger)
    assert end_group(stranger.pid, RUN, grace=5, leader=stranger) == (stranger,)


def test_a_child_of_ours_that_cleared_its_environment_is_ended(tmp_path: Path, environment: dict[str, str]) -> None:
    process = detach(["sleep", "600"], cwd=tmp_path, environment=environment, log=tmp_path / "log")

    assert end_group(process.pid, RUN, grace=5) == (process,)


def test_what_cleared_its_environment_is_ended_with_its_group_also_when_the_leader_is_gone(
    tmp_path: Path, start: Start
) -> None:
    agent = start("env -i sh -c 'echo $$ > bare; exec sleep 600' & sleep 600 & exit 0")
    bare = agent.pid_in(tmp_path / "bare")
    agent.child.wait()

    assert bare in end_group(agent.child.pid, RUN, grace=5)


def test_ending_a_run_from_within_it_spares_the_caller_and_its_ancestors(tmp_path: Path, start: Start) -> None:
    stop = tmp_path / "stop.py"
    stop.write_text(
        "import os\n"
        "from conductor_git.process import end_group\n"
        f"print(len(end_group(os.getpgrp(), {RUN!r}, grace=5)), flush=True)\n"
    )
    agent = start(f"sleep 600 & sh -c '{sys.executable} {stop}; echo between'; echo after")

    assert agent.child.wait() == 0
    assert agent.out.read_text() == "1\nbetween\nafter\n"


def test_waiting_for_the_end_reaps_nobody(start: Start) -> None:
    agent = start("exit 7")

    assert wait_gone({agent.process}, 60) == set()
    assert agent.child.wait() == 7


def test_ending_what_ended_is_nothing(start: Start) -> None:
    agent = start("exit 0")
    agent.child.wait()

    assert end_group(agent.child.pid, RUN, grace=5) == ()


@pytest.mark.parametrize(
    ("code", "name"), [(0, None), (3, None), (-9, "SIGKILL"), (-15, "SIGTERM"), (-99, "signal 99")]
)
def test_a_signal_has_its_name(code: int, name: str | None) -> None:
    assert signal_name(code) == name


def test_an_ancestor_that_ends_while_we_look_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command that launched a supervisor ends at any moment; psutil then raises in the middle of its walk.
    parents, ended = psutil.Process.parents, [1, 2]

    def walk(process: psutil.Process) -> list[psutil.Process]:
        if ended:
            raise psutil.NoSuchProcess(ended.pop())
        return list(parents(process))

    monkeypatch.setattr(psutil.Process, "parents", walk)

    assert processtable.carrying("CONDUCTOR_RUN_ID", "of nobody") == set()
    assert ended == []
