"""A plan whose runner is killed, interrupted or doubled: agents go on, nothing is done twice, the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_git.processtable import identify, is_alive
from tests import kit
from tests.integration import plans
from tests.kit import tasks

HELD = plans.after("go", plans.FAST)
"""An agent that does its work once the file `go` is beside the worktrees."""
TWO = "agent: held\napprove: gates\ntasks: {one: {prompt: x}, two: {prompt: y, needs: one, agent: fast}}"


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one with a trusted config; what a test of ours left running ends with it."""
    plans.prepared(repository, gates="true", held=HELD)
    yield repository
    plans.stop_all(repository)


def start(repository: Path, path: Path, *options: str) -> subprocess.Popen[str]:
    command = [str(kit.console_script()), "run", str(path), *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=repository, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def let_go(repository: Path) -> None:
    (repository.parent / "acme.worktrees" / "go").touch()


def is_at_work(repository: Path, task_id: str) -> bool:
    attempts = tasks.record(repository, task_id).attempts if is_known(repository, task_id) else ()
    return bool(attempts) and attempts[-1].pid is not None and attempts[-1].ended_at is None


def at_work(repository: Path, task_id: str) -> None:
    kit.until(lambda: is_at_work(repository, task_id))


def events(repository: Path, task_id: str) -> list[str]:
    return [str(step.event) for step in tasks.record(repository, task_id).history]


def test_a_runner_that_was_killed_is_followed_by_one_that_goes_on_and_does_nothing_twice(repository: Path) -> None:
    path = plans.written(repository, TWO)
    first = start(repository, path)
    at_work(repository, "one")
    first.kill()
    first.communicate()
    let_go(repository)

    done = plans.run(repository, path)

    assert done.code == 0, done
    once = ["spawn", "start", "done", "approve", "merge"]
    assert events(repository, "one") == events(repository, "two") == once
    assert len(tasks.record(repository, "one").attempts) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_runner_leaves_agents_at_work_and_says_how_to_go_on(
    repository: Path, number: signal.Signals, code: int
) -> None:
    path = plans.written(repository, TWO)
    runner = start(repository, path)
    at_work(repository, "one")

    runner.send_signal(number)
    _, told = runner.communicate()

    assert runner.returncode == code
    attempt = tasks.record(repository, "one").attempts[-1]
    assert attempt.process is not None
    assert is_alive(attempt.process)
    assert "○ still at work: one" in told
    assert f"↳ conductor-git run {path}" in told
    assert "↳ conductor-git stop one" in told
    let_go(repository)
    assert plans.run(repository, path).code == 0
    assert len(tasks.record(repository, "one").attempts) == 1


def test_a_plan_is_run_by_one_runner_at_a_time(repository: Path) -> None:
    path = plans.written(repository, TWO)
    runner = start(repository, path)
    at_work(repository, "one")

    error = tasks.refused(plans.run(repository, path, "--json"), "PLAN_RUNNING", 1)

    assert str(runner.pid) in error["holder"]
    let_go(repository)
    runner.communicate()
    assert runner.returncode == 0


def test_a_supervisor_that_is_killed_is_replaced_and_its_agent_goes_on(repository: Path) -> None:
    path = plans.written(repository, TWO)
    runner = start(repository, path)
    at_work(repository, "one")
    supervision = tasks.record(repository, "one").supervision
    assert supervision is not None
    os.kill(supervision.process.pid, signal.SIGKILL)

    kit.until(lambda: (now := tasks.record(repository, "one").supervision) and now.process != supervision.process)

    let_go(repository)
    _, told = runner.communicate()
    assert runner.returncode == 0, told
    assert len(tasks.record(repository, "one").attempts) == 1
    assert "one goes on: its supervisor is gone" in told


def test_what_a_person_stops_while_the_plan_runs_stays_stopped_and_a_new_run_goes_on_with_it(repository: Path) -> None:
    path = plans.written(repository, TWO)
    runner = start(repository, path, "--json")
    at_work(repository, "one")

    assert kit.conductor("stop", "one", cwd=repository).code == 0
    runner.communicate()

    assert runner.returncode == 1
    assert not is_at_work(repository, "one")
    assert tasks.record(repository, "one").state == "WORKING"
    let_go(repository)
    assert plans.run(repository, path).code == 0


def test_a_gate_that_runs_when_the_runner_is_interrupted_ends_with_it_and_the_landing_is_made_up_for(
    repository: Path,
) -> None:
    plans.prepared(repository, gates="echo $$ >../gate.pid; [ -e ../gate.go ] || exec sleep 600")
    gates = Path(os.environ["HOME"]) / ".cache" / "conductor-git" / "gates"
    path = plans.written(repository, "agent: fast\napprove: gates\ntasks: {one: {prompt: x}}")
    runner = start(repository, path)
    pid = int(kit.until(lambda: [text for file in gates.glob("*/gate.pid") if (text := file.read_text().strip())])[0])

    gate = identify(pid)
    assert gate is not None

    runner.send_signal(signal.SIGTERM)
    runner.communicate()

    assert runner.returncode == 143
    assert not is_alive(gate)
    assert tasks.record(repository, "one").state == "APPROVED"
    next(gates.glob("*/gate.pid")).with_name("gate.go").touch()
    assert plans.run(repository, path).code == 0
    assert tasks.record(repository, "one").state == "COMPLETED"


def test_with_wait_a_plan_waits_for_people_and_goes_on_when_they_have_spoken(repository: Path) -> None:
    path = plans.written(repository, "agent: fast\ntasks: {one: {prompt: x}, two: {prompt: y, needs: one}}")
    runner = start(repository, path, "--wait")

    for name in ("one", "two"):
        handed_in(repository, name)
        tasks.approve(repository, name)

    runner.communicate()
    assert runner.returncode == 0
    assert plans.states(repository, "one", "two") == ["COMPLETED", "COMPLETED"]


def handed_in(repository: Path, task_id: str) -> None:
    kit.until(lambda: is_known(repository, task_id) and "done" in events(repository, task_id))


def is_known(repository: Path, task_id: str) -> bool:
    return (repository / ".git/conductor/tasks" / task_id / "run-info.yaml").exists()
