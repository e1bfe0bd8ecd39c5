"""The lease of a target and the locks beside it: in order of arrival, seen waiting, freed by the kernel and by nothing
else."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.processtable import carrying
from tests import kit
from tests.kit import tasks
from tests.kit.interposed import KILL_CALLER, interpose

MANY = 20


def in_background(
    repository: Path, *words: str, env: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], Path]:
    """A command in the background; its standard error goes to the returned file."""
    told = repository.parent / f"{' '.join(words)}.err"
    with told.open("wb") as err:
        command = [str(kit.console_script()), *words]
        process = subprocess.Popen(
            command, cwd=repository, env=os.environ | dict(env or {}), stdout=subprocess.DEVNULL, stderr=err
        )
    return process, told


@contextmanager
def reaped(*processes: subprocess.Popen[bytes]) -> Generator[None]:
    """None of `processes` outlives the block."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def hold_up(repository: Path, task_id: str) -> Path:
    """A gate that keeps the landing of `task_id` waiting until somebody writes to the returned pipe."""
    pipe = repository.parent / "go on"
    os.mkfifo(pipe)
    script = f'if [ "$CONDUCTOR_TASK_ID" = {task_id} ]; then cat "{pipe}"; fi'
    tasks.commit(repository, {".conductor.yaml": f"gates:\n  - name: wait\n    run: '{script}'\n"})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    return pipe


def in_the_gate(repository: Path, task_id: str) -> bool:
    tree = str(Layout(repository / ".git").gate_tree("main"))
    return carrying("CONDUCTOR_TASK_ID", task_id) & carrying("CONDUCTOR_GATE_TREE", tree) != set()


def says(told: Path, words: str) -> bool:
    return words in told.read_text()


def landed_in_order(repository: Path, base: str) -> list[str]:
    log = kit.git(repository, "log", "--first-parent", "--reverse", "--format=%s", f"{base}..main").splitlines()
    return [subject.removeprefix("Land ").partition(":")[0] for subject in log]


def test_twenty_parallel_merges_land_twenty_tasks_in_the_order_they_came_and_each_is_seen_waiting(
    repository: Path,
) -> None:
    pipe = hold_up(repository, "task-00")
    names = [f"task-{number:02d}" for number in range(MANY)]
    for name in names:
        tasks.approved(repository, name, {f"src/{name}.py": f"NAME = {name!r}\n"})
    base = kit.git(repository, "rev-parse", "main")
    order = [names[0], *reversed(names[1:])]
    started: list[subprocess.Popen[bytes]] = []
    tickets = Layout(repository / ".git").landing_queue("main")

    for number, name in enumerate(order):
        process, told = in_background(repository, "merge", name)
        started.append(process)
        if number == 0:
            kit.until(lambda: in_the_gate(repository, "task-00"))
        else:
            kit.until(partial(says, told, f"waiting for the landing of {names[0]}"))
    assert len([ticket for ticket in tickets.iterdir() if ticket.name[0].isdigit()]) == MANY
    with reaped(*started):
        pipe.write_text("go\n")
        codes = [process.wait(timeout=120) for process in started]

    assert codes == [0] * MANY
    assert landed_in_order(repository, base) == order
    assert all((repository / f"src/{name}.py").is_file() for name in names)
    assert kit.git(repository, "status", "--porcelain") == ""
    assert kit.git(repository, "fsck", "--no-dangling", "--no-progress") == ""
    assert [ticket.name for ticket in tickets.iterdir() if ticket.name[0].isdigit()] == []
    assert not (repository.parent / "acme.worktrees").exists() or not any(
        (repository.parent / "acme.worktrees").iterdir()
    )


def test_a_landing_that_waits_too_long_says_who_is_ahead_and_changes_nothing(repository: Path) -> None:
    pipe = hold_up(repository, "slow")
    tasks.approved(repository, "slow", {"src/slow.py": "SLOW = 1\n"})
    tasks.approved(repository, "fast", {"src/fast.py": "FAST = 1\n"})
    slow, _ = in_background(repository, "merge", "slow")

    with reaped(slow):
        kit.until(lambda: in_the_gate(repository, "slow"))
        before = kit.snapshot(repository)
        error = tasks.refused(tasks.merge(repository, "fast", "--wait", "0.1"), "LOCK_TIMEOUT", 17)

        assert error["holder"] == "slow"
        assert kit.snapshot(repository) == before
        assert tasks.record(repository, "fast").state == "APPROVED"
        pipe.write_text("go\n")
        assert slow.wait(timeout=60) == 0

    tasks.landed(tasks.merge(repository, "fast"))
    assert (repository / "src/slow.py").is_file()
    assert (repository / "src/fast.py").is_file()


def test_a_slow_holder_is_never_robbed_however_old_its_lock_looks(repository: Path) -> None:
    pipe = hold_up(repository, "slow")
    tasks.approved(repository, "slow", {"src/slow.py": "SLOW = 1\n"})
    tasks.approved(repository, "fast", {"src/fast.py": "FAST = 1\n"})
    slow, _ = in_background(repository, "merge", "slow")

    with reaped(slow):
        kit.until(lambda: in_the_gate(repository, "slow"))
        slow.send_signal(signal.SIGSTOP)
        layout = Layout(repository / ".git")
        tickets = layout.landing_queue("main").glob("*.slow")
        for lock in (*tickets, layout.task_lock(TaskId("slow"))):
            lock.write_text('{"pid": 2147480000, "purpose": "long gone", "since": 1}')
            os.utime(lock, (1, 1))
        error = tasks.refused(tasks.merge(repository, "fast", "--wait", "0.1"), "LOCK_TIMEOUT", 17)
        slow.send_signal(signal.SIGCONT)
        pipe.write_text("go\n")

        assert error["holder"] == "slow"
        assert slow.wait(timeout=60) == 0
    assert tasks.record(repository, "slow").state == "COMPLETED"


def test_the_lease_of_a_killed_landing_is_free_at_once(repository: Path) -> None:
    hold_up(repository, "killed")
    tasks.approved(repository, "killed", {"src/killed.py": "KILLED = 1\n"})
    tasks.approved(repository, "next", {"src/next.py": "NEXT = 1\n"})
    killed, _ = in_background(repository, "merge", "killed")
    with reaped(killed):
        kit.until(lambda: in_the_gate(repository, "killed"))

    tasks.landed(tasks.merge(repository, "next", "--wait", "0"))

    assert (repository / "src/next.py").is_file()
    assert not (repository / "src/killed.py").exists()
    assert tasks.record(repository, "killed").state == "APPROVED"
    assert not in_the_gate(repository, "killed")


def test_a_lock_file_is_no_lock_even_when_it_names_a_process_that_lives(repository: Path) -> None:
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    layout = Layout(repository / ".git")
    queue = layout.landing_queue("main")
    queue.mkdir(parents=True, exist_ok=True)
    left = queue / "00000001.before"
    for lock in (left, layout.task_lock(TaskId("prices")), queue.with_name(f"{queue.name}.lock")):
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text(f'{{"pid": {os.getpid()}, "purpose": "a reused number", "since": 9999999999}}')
    (queue / "last").write_text("1")

    tasks.landed(tasks.merge(repository, "prices", "--wait", "0"))

    assert not left.exists()


def test_landings_on_different_targets_do_not_wait_for_each_other(repository: Path) -> None:
    pipe = hold_up(repository, "slow")
    kit.git(repository, "branch", "release", "main")
    tasks.approved(repository, "slow", {"src/slow.py": "SLOW = 1\n"})
    tasks.approved(repository, "other", {"src/other.py": "OTHER = 1\n"}, target="release")
    slow, _ = in_background(repository, "merge", "slow")

    with reaped(slow):
        kit.until(lambda: in_the_gate(repository, "slow"))
        tasks.landed(tasks.merge(repository, "other", "--wait", "0"))
        assert kit.git(repository, "show", "release:src/other.py") == "OTHER = 1"
        pipe.write_text("go\n")
        assert slow.wait(timeout=60) == 0

    assert kit.git(repository, "show", "main:src/slow.py") == "SLOW = 1"


@pytest.mark.parametrize("words", [["merge", "next"], ["merge"], ["undo", "before"]], ids=" ".join)
def test_a_git_process_that_outlives_its_killed_landing_keeps_the_lease_and_who_waits_mends_what_it_left(
    repository: Path, tmp_path: Path, words: list[str]
) -> None:
    pipe = tmp_path / "go on"
    os.mkfifo(pipe)
    tasks.approved(repository, "before", {"src/before.py": "BEFORE = 1\n"})
    tasks.landed(tasks.merge(repository, "before"))
    for name in ("killed", "next"):
        tasks.approved(repository, name, {f"src/{name}.py": "NAME = 1\n"})
    orphan = f"{KILL_CALLER}; cat {shlex.quote(str(pipe))}"
    env = interpose(tmp_path / "bin", "update-ref -m conductor-git: land killed", before=orphan)

    assert in_background(repository, "merge", "killed", env=env)[0].wait(timeout=60) == -signal.SIGKILL
    error = tasks.refused(tasks.merge(repository, "next", "--wait", "0.1"), "LOCK_TIMEOUT", 17)
    assert error["holder"] == "killed"
    waiting, told = in_background(repository, *words)
    with reaped(waiting):
        kit.until(lambda: says(told, "killed"))
        pipe.write_text("go\n")
        assert waiting.wait(timeout=60) == 0, told.read_text()

    assert kit.conductor("status", cwd=repository).code == 0
    assert tasks.record(repository, "killed").state == "COMPLETED"
    subjects = kit.git(repository, "log", "--first-parent", "--format=%s", "-2").splitlines()
    last = "Undo before" if words[0] == "undo" else "Land next"
    assert [subject.partition(":")[0] for subject in subjects] == [last, "Land killed"]
    assert kit.git(repository, "status", "--porcelain") == ""
