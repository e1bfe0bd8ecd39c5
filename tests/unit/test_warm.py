"""A command in a fork is the installed command: what tests see of it, and what they hand to it, is the same."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests import kit
from tests.kit import interposed, tasks, warm

PATIENCE = 60
NOTHING: dict[str, str] = {}


def forked(*words: str, cwd: Path, given: bytes = b"", env: Mapping[str, str] = NOTHING) -> warm.Ended | None:
    return warm.run(kit.console_script(), list(words), cwd, os.environ | dict(env), given, PATIENCE)


def executed(*words: str, cwd: Path, given: bytes = b"", env: Mapping[str, str] = NOTHING) -> warm.Ended:
    command: list[str | Path] = [kit.console_script(), *words]
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | dict(env), input=given, capture_output=True, check=False, timeout=PATIENCE
    )
    return warm.Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["merge", "--help"],
        ["nonsense"],
        ["status"],
        ["queue", "--json"],
        ["show", "nobody", "--json"],
        ["show", "pr\udcffces"],
        ["config", "show"],
        ["merge", "prices", "--json"],
        ["bus", "post", "--type", "NO SUCH"],
        ["diff", "prices"],
    ],
    ids=" ".join,
)
def test_a_fork_says_what_the_installed_command_says(repository: Path, words: list[str]) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), {"a.txt": "one\n"})

    assert forked(*words, cwd=repository) == executed(*words, cwd=repository)


def test_a_fork_reads_what_it_is_given(repository: Path) -> None:
    done = forked("bus", "post", "--type", "NOTE", "--json", cwd=repository, given="naïve\n".encode())

    assert done is not None
    assert done.code == 0, done
    assert b"na\xc3\xafve" in kit.conductor("bus", "read", cwd=repository, env={"COLD": "1"}).out.encode()


def test_a_fork_has_the_environment_that_it_is_given_and_no_other(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    here = forked("ctx", "--field", "task_id", cwd=worktree)
    elsewhere = forked("status", cwd=repository, env={"PATH": "/nonexistent"})

    assert here == warm.Ended(0, b"prices\n", b"")
    assert elsewhere == executed("status", cwd=repository, env={"PATH": "/nonexistent"})


def test_a_fork_that_is_killed_ends_by_the_signal(repository: Path, tmp_path: Path) -> None:
    moment = interposed.interpose(tmp_path / "moment", "rev-parse", before=interposed.KILL_CALLER)

    assert forked("spawn", "prices", cwd=repository, env=moment) == warm.Ended(-9, b"", b"")


def test_forks_of_many_threads_do_not_mix(repository: Path) -> None:
    names = [f"nobody-{number}" for number in range(8)]
    with ThreadPoolExecutor(4) as crowd:
        answers = list(crowd.map(lambda name: kit.conductor("show", name, cwd=repository), names))

    assert all(name in answer.err for name, answer in zip(names, answers, strict=True))


def test_a_command_that_does_not_end_is_killed_and_told(repository: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(kit.console_script(), ["bus", "follow"], repository, os.environ, b"", 0.5)


@pytest.mark.parametrize(
    "named",
    [
        {"PYTHONHASHSEED": "1"},
        {"LC_ALL": "C"},
        {"TERM": "xterm"},
        {"TZ": "UTC+1"},
        {"CONDUCTOR_RUN_ID": "x"},
        {"COLD": "1"},
    ],
    ids=str,
)
def test_what_an_interpreter_heeds_at_its_start_has_the_command_executed(
    repository: Path, named: dict[str, str]
) -> None:
    assert forked("ctx", cwd=repository, env=named) is None


def test_with_another_limit_of_the_kernel_the_command_is_executed(repository: Path) -> None:
    assert forked("ctx", cwd=repository) is not None
    before = resource.getrlimit(resource.RLIMIT_CORE)
    other = 0 if before[0] else 4096
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (other, before[1]))
        assert forked("ctx", cwd=repository) is None
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_forks_go_on_where_a_test_ended_the_process_that_forks(repository: Path) -> None:
    before = forked("ctx", cwd=repository)
    for child in psutil.Process().children():
        child.kill()
        child.wait()

    assert forked("ctx", cwd=repository) == before
