"""setup: the config's commands run in a new worktree before its agent, within limits, and a red one fails the task."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from conductor_git.actor import COORDINATOR
from conductor_git.cli.preparing import aloud
from conductor_git.config.model import SetupStep
from conductor_git.names import parse_task_id
from conductor_git.processtable import carrying
from conductor_git.project import open_project
from conductor_git.run import Doing, utcnow
from conductor_git.runner.setup import TREE_VARIABLE
from conductor_git.settings import project_config
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow.spawning import order as ordering
from tests import kit
from tests.integration.furnished import configured, refused
from tests.kit import tasks
from tests.kit.keyboard import at_a_shell


def with_setup(repository: Path, *commands: str, timeout: str = "1m", more: str = "") -> None:
    steps = "".join(
        f"  - {{name: step{number}, timeout: {timeout}, run: {command!r}}}\n"
        for number, command in enumerate(commands, 1)
    )
    configured(repository, f"setup:\n{steps}{more}", ignored="*.txt\n")


def log_of(repository: Path, step: str, task_id: str = "prices") -> str:
    return (repository / ".git" / "conductor" / "tasks" / task_id / "setup" / f"{step}.log").read_text()


def test_the_steps_run_in_order_as_the_agent_would_and_the_agent_after_them(repository: Path) -> None:
    ask = "env | grep -e ^CONDUCTOR_ -e ^TMPDIR= -e _API_KEY= | sort; pwd; touch $TMPDIR/file"
    with_setup(repository, "echo made > made.txt", f"cat made.txt; {ask}")
    env = {"ANTHROPIC_API_KEY": "sk-nobodys", "CONDUCTOR_OUTPUT": "stale"}

    done = kit.conductor(
        "spawn", "prices", "--json", "--", "sh", "-c", "cat made.txt > seen.txt", cwd=repository, env=env
    )

    assert done.code == 0, done.err
    place = repository.parent / "acme.worktrees" / "prices"
    kit.until(lambda: (place / "seen.txt").exists() and (place / "seen.txt").read_text() == "made\n")
    log = log_of(repository, "step2")
    assert log.startswith("made\n")
    assert f"\n{place}\n" in log
    assert "CONDUCTOR_TASK_ID=prices\n" in log
    assert "CONDUCTOR_PORT_BASE=42" in log
    assert f"CONDUCTOR_WORKER_CTX={place}/.worker-ctx.json\n" in log
    assert "API_KEY" not in log
    assert "stale" not in log
    assert "◎ setup, step1: echo made > made.txt" in done.err
    assert "✓ step2 took" in done.err


def test_commands_that_nobody_agreed_to_are_refused_before_anything_is_made(repository: Path) -> None:
    tasks.commit(repository, {".conductor.yaml": "setup: [{name: deps, run: 'touch ran'}]\n"})

    error = refused(repository, "UNTRUSTED_COMMANDS")

    assert error["commands"] == [{"key": "setup.deps", "run": "touch ran"}]
    assert not (repository.parent / "acme.worktrees").exists()
    assert kit.conductor("spawn", "prices", "--trust", cwd=repository).code == 0
    assert (repository.parent / "acme.worktrees" / "prices" / "ran").exists()


def test_a_red_step_fails_the_task_keeps_the_worktree_and_retry_runs_it_again(repository: Path) -> None:
    agent = "agents: {default: house, house: {command: [sh, -c, 'true']}}\n"
    steps = ("echo first > made.txt", "echo why it broke; test -e go.txt", "touch never.txt")
    with_setup(repository, *steps, more=agent)

    done = kit.conductor("spawn", "prices", "--json", cwd=repository)

    error = tasks.refused(done, "SETUP_FAILED", 19)
    assert (error["step"], error["exit_code"], error["log_end"]) == ("step2", 1, "why it broke\n")
    place = Path(error["worktree"])
    run = tasks.record(repository, "prices")
    assert (run.state, run.attempts) == ("FAILED", ())
    assert run.reason == "the setup step step2 ended with exit code 1: why it broke"
    assert "why it broke" in tasks.told(repository, "ERROR", "prices")[0]
    assert (place / "made.txt").exists()
    assert not (place / "never.txt").exists()

    (place / "go.txt").touch()
    assert kit.conductor("retry", "prices", cwd=repository).code == 0

    kit.until(lambda: bool(tasks.record(repository, "prices").attempts))
    assert (place / "never.txt").exists()


def test_a_step_that_hangs_and_forks_is_killed_with_all_it_started(repository: Path) -> None:
    """One child in a session of its own, one that ignores TERM, one in the group; and the step itself waits."""
    hang = "setsid sleep 600 & (trap '' TERM; sleep 600) & sleep 600 & echo begun; wait"
    with_setup(repository, hang, timeout="1s")

    done = kit.conductor("spawn", "prices", "--json", cwd=repository)

    error = tasks.refused(done, "SETUP_FAILED", 19)
    assert error["exit_code"] is None
    assert "did not end within 1s and was killed" in error["message"]
    assert error["log_end"].splitlines()[0] == "begun"  # the shell may tell how its child ended, before it does itself
    assert carrying(TREE_VARIABLE, error["worktree"]) == set()


def killed_in_setup(repository: Path) -> Path:
    """A spawn that was killed in the middle of a step, which goes on."""
    with_setup(repository, "echo ran >> ran.txt; test -e go.txt || exec sleep 600")
    place = repository.parent / "acme.worktrees" / "prices"
    spawning = subprocess.Popen(
        [kit.console_script(), "spawn", "prices"],
        cwd=repository,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kit.until((place / "ran.txt").exists)
    os.killpg(spawning.pid, signal.SIGKILL)
    spawning.wait()
    assert tasks.record(repository, "prices").state == "ASSIGNED"
    assert carrying(TREE_VARIABLE, str(place)) != set()  # nobody was left to end it
    return place


def test_after_a_kill_in_the_setup_whoever_starts_the_worker_runs_it_first(repository: Path) -> None:
    place = killed_in_setup(repository)

    assert "its setup has not run to its end" in kit.conductor("show", "prices", cwd=repository).out
    (place / "go.txt").touch()
    done = kit.conductor("start", "prices", cwd=repository)

    assert done.code == 0, done.err
    assert "◎ setup, step1: echo ran" in done.err
    assert tasks.record(repository, "prices").state == "WORKING"
    assert (place / "ran.txt").read_text() == "ran\nran\n"
    assert carrying(TREE_VARIABLE, str(place)) == set()


def test_at_a_terminal_an_interrupted_setup_is_told_with_what_goes_on_from_there(repository: Path) -> None:
    with_setup(repository, "touch ran.txt; exec sleep 600")
    place = repository.parent / "acme.worktrees" / "prices"

    with at_a_shell("conductor-git", "spawn", "prices", cwd=repository) as person:
        kit.until((place / "ran.txt").exists)
        person.type("\x03")
        person.sees(f"the setup step step1 was ended; prices is there without its setup, in {place}")
        person.sees("conductor-git start prices")

    assert carrying(TREE_VARIABLE, str(place)) == set()


def test_at_a_terminal_a_step_that_takes_long_tells_of_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    leader, follower = os.openpty()
    with os.fdopen(leader, "rb", buffering=0) as screen, os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)

        listener = aloud(long_seconds=0)
        listener.began(SetupStep(name="deps", run="npm ci"), Path("/a place/deps.log"))

        seen = screen.read(4096)
        while b"tail -f '/a place/deps.log'" not in seen:
            seen += screen.read(4096)


def test_what_a_killed_spawn_left_of_a_setup_ends_with_the_task(repository: Path) -> None:
    place = killed_in_setup(repository)

    assert kit.conductor("cancel", "prices", cwd=repository).code == 0

    assert carrying(TREE_VARIABLE, str(place)) == set()
    assert tasks.record(repository, "prices").state == "CANCELLED"


def test_a_cancel_from_elsewhere_ends_the_setup_that_a_spawn_waits_for(repository: Path) -> None:
    with_setup(repository, "touch ran.txt; sleep 600", "touch never.txt")
    place = repository.parent / "acme.worktrees" / "prices"
    spawning = subprocess.Popen(
        [kit.console_script(), "spawn", "prices"],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    kit.until((place / "ran.txt").exists)

    assert kit.conductor("cancel", "prices", cwd=repository).code == 0

    told, _ = spawning.communicate(timeout=60)
    assert "prices is CANCELLED by now: the setup step step1" in told
    assert tasks.record(repository, "prices").state == "CANCELLED"
    assert not (place / "never.txt").exists()


def test_what_a_setup_made_is_not_salvaged_and_what_the_worker_made_is(repository: Path) -> None:
    with_setup(repository, "echo built > built.txt; echo other > other.txt")
    place = tasks.spawn(repository, "prices")
    (place / "other.txt").write_text("the worker's\n")
    tasks.commit(place, {"src/new.py": "NEW = 1\n"})
    tasks.hand_in(repository, "prices")
    tasks.approve(repository, "prices")
    tasks.merge(repository, "prices")

    ref = kit.git(repository, "for-each-ref", "--format=%(refname)", "refs/conductor/salvage/")
    assert kit.git(repository, "diff", "--name-only", f"{ref}^1", ref) == "other.txt"


def test_a_retry_from_the_start_brings_the_files_and_runs_the_setup_again(repository: Path) -> None:
    with_setup(repository, "cat key.txt > made.txt")
    tasks.write(
        repository, {"key.txt": "1\n", ".git/info/exclude": ".worktreeinclude\n", ".worktreeinclude": "*.txt\n"}
    )
    place = tasks.spawn(repository, "prices")
    (place / "made.txt").unlink()
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0

    done = kit.conductor("retry", "prices", "--reset", cwd=repository)

    assert done.code == 0, done.err
    assert (place / "made.txt").read_text() == "1\n"
    assert kit.git(place, "status", "--porcelain") == ""


def test_a_plan_sets_its_tasks_up_side_by_side(repository: Path, tmp_path: Path) -> None:
    """Each setup waits for the other one's: one after the other, neither would ever end."""
    both = f"[ -e {tmp_path}/one ] && [ -e {tmp_path}/two ]"
    meet = f"touch {tmp_path}/$CONDUCTOR_TASK_ID; until {both}; do sleep 0.05; done"
    agent = "agents: {default: house, house: {command: [sh, -c, 'true']}}\nlimits: {attempts: 1}\n"
    with_setup(repository, meet, timeout="60s", more=agent)
    (tmp_path / "plan.yaml").write_text(
        "version: 1\nname: both\ntasks:\n  one: {prompt: do it}\n  two: {prompt: do it}\n"
    )

    done = kit.conductor("run", str(tmp_path / "plan.yaml"), cwd=repository)
    for task_id in ("one", "two"):
        assert tasks.record(repository, task_id).attempts, done


def test_a_task_that_is_cancelled_while_its_supervisor_sets_it_up_leaves_no_process(repository: Path) -> None:
    with_setup(repository, "touch ran.txt; sleep 600 & sleep 600")
    project = open_project(repository)
    order = ordering.Order(parse_task_id("prices"), command=("true",))
    plan = ordering.plan(project, order, project_config(project))

    run = spawning.spawn(project, plan, by=COORDINATOR, at=utcnow(), waits=False)

    assert run.supervision is not None
    assert run.supervision.doing is Doing.SETUP
    kit.until((plan.worktree / "ran.txt").exists)
    assert "is being set up" in kit.conductor("status", cwd=repository).out
    assert kit.conductor("cancel", "prices", cwd=repository).code == 0
    assert carrying(TREE_VARIABLE, str(plan.worktree)) == set()
    after = tasks.record(repository, "prices")
    assert (after.state, after.attempts, after.supervision) == ("CANCELLED", (), None)
