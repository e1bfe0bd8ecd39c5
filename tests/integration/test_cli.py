"""The edge of the command line: exit codes, the JSON of errors, closed pipes, signals, usage, and bugs."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks

COMMANDS = {
    "spawn": ("spawn", "prices"),
    "start": ("start", "prices"),
    "heartbeat": ("heartbeat", "prices"),
    "done": ("done", "prices"),
    "fail": ("fail", "prices"),
    "cancel": ("cancel", "prices"),
    "retry": ("retry", "prices"),
    "approve": ("approve", "prices"),
    "request-changes": ("request-changes", "prices"),
    "reject": ("reject", "prices"),
    "diff": ("diff", "prices"),
    "merge": ("merge", "prices"),
    "status": ("status",),
    "show": ("show", "prices"),
    "log": ("log", "prices"),
    "ctx": ("ctx",),
    "stop": ("stop", "prices"),
    "wait": ("wait", "prices"),
    "bus post": ("bus", "post", "hello"),
    "bus read": ("bus", "read"),
    "bus follow": ("bus", "follow"),
    "bus verify": ("bus", "verify"),
    "bus ack": ("bus", "ack", "MSG-20260101-000000-000000000-PID00001-0001", "--as", "ada"),
    "bus copy": ("bus", "copy", "file", "sqlite"),
    "config check": ("config", "check"),
    "config trust": ("config", "trust", "--yes"),
}
READING = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "show": ("show", "prices"),
    "diff": ("diff", "prices"),
    "bus read": ("bus", "read"),
    "bus read --json": ("bus", "read", "--json"),
    "ctx": ("ctx",),
    "config schema": ("config", "schema"),
    "--help": ("--help",),
    "--version": ("--version",),
}


def refusal(done: kit.Completed) -> dict[str, str]:
    """The `error` of the one JSON document that a refused command prints, and nothing else."""
    assert done.out.count("\n") == 1, done
    assert done.document["schema"] == 1
    error: dict[str, str] = done.document["error"]
    assert error["code"]
    assert error["message"]
    assert error["hint"]
    return error


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_outside_a_repository_every_command_refuses_in_json_and_in_words(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = kit.conductor(*command, "--json", cwd=tmp_path)
    told = kit.conductor(*command, cwd=tmp_path)

    error = refusal(done)
    assert error["code"] in {"NOT_A_REPOSITORY", "NO_CONTEXT"}
    assert done.code == told.code == 1
    assert told.out == ""
    assert told.err.startswith("✗ ")
    assert "\n↳ " in told.err
    assert list(tmp_path.iterdir()) == []


NEED_A_TASK = [name for name, words in COMMANDS.items() if "prices" in words and name != "spawn"]


@pytest.mark.parametrize("name", NEED_A_TASK)
def test_an_unknown_task_is_not_found_by_every_command(repository: Path, name: str) -> None:
    before = kit.snapshot(repository)

    done = kit.conductor(*COMMANDS[name], "--json", cwd=repository)

    assert done.code == 18
    assert refusal(done)["code"] == "NOT_FOUND"
    assert kit.snapshot(repository) == before
    assert not (repository / ".git" / "conductor" / "tasks").exists()


WRONG_USE = {
    "no such command": ("nosuch",),
    "no such subcommand": ("bus", "nosuch"),
    "no such option": ("status", "--nosuch"),
    "no such option of a hot command": ("heartbeat", "--nosuch"),
    "a missing argument": ("show",),
    "a missing value": ("bus", "post", "--type"),
    "too many arguments": ("cancel", "prices", "pears"),
    "a value that is none of the choices": ("merge", "prices", "--strategy", "octopus"),
    "a state that is none": ("status", "--state", "DREAMING"),
    "a number that is none": ("spawn", "prices", "--reviews", "many"),
    "a number out of range": ("spawn", "prices", "--reviews", "0"),
    "no task outside a worktree": ("done",),
    "two prompts": ("spawn", "prices", "-m", "this", "--prompt-file", "that"),
    "a prompt file that is not there": ("spawn", "prices", "--prompt-file", "nowhere.md"),
    "an agent that is not configured": ("spawn", "prices", "--agent", "nobody"),
    "no key and value": ("bus", "post", "--meta", "loose", "hello"),
    "a type that only the coordinator writes": ("bus", "post", "--type", "LANDED", "hello"),
    "a type that is none": ("bus", "post", "--type", "no type", "hello"),
    "no line comment": ("request-changes", "prices", "--comment", "nowhere"),
    "an empty task": ("show", ""),
}


@pytest.mark.parametrize("command", WRONG_USE.values(), ids=WRONG_USE.keys())
def test_wrong_use_is_exit_code_2_with_json_and_changes_nothing(repository: Path, command: tuple[str, ...]) -> None:
    done = kit.conductor(*command, "--json", cwd=repository)

    assert done.code == 2, done
    assert refusal(done)["hint"]
    assert not (repository / ".git" / "conductor" / "tasks").exists()


def test_a_group_without_a_command_says_what_there_is(repository: Path) -> None:
    done = kit.conductor("bus", cwd=repository)

    assert done.code == 2
    assert "follow" in done.out + done.err
    assert "✗ which command?" in done.err


def test_options_of_the_agents_command_are_not_ours(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    done = kit.conductor("spawn", "prices", "--", "sh", "--json", cwd=repository)

    assert (done.code, done.out) == (1, "")
    assert "exists already" in done.err


@pytest.fixture
def reviewed(repository: Path) -> Path:
    """The worktree of a task with more to show than a pipe holds: commits, a long diff, a thousand messages."""
    worktree = tasks.spawn(repository, "prices")
    tasks.commit(worktree, {"src/long.py": "".join(f"LINE_{number} = {number}\n" for number in range(20_000))})
    tasks.hand_in(repository, "prices")
    for _ in range(3):
        kit.conductor("bus", "post", "x" * 100_000, cwd=worktree)
    return worktree


@pytest.mark.parametrize("command", READING.values(), ids=READING.keys())
@pytest.mark.parametrize("streams", ["stdout", "both"])
def test_a_reader_that_goes_away_ends_a_command_quietly(reviewed: Path, command: tuple[str, ...], streams: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [kit.console_script(), *command],
            cwd=reviewed,
            stdout=writer,
            stderr=writer if streams == "both" else subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)

    assert done.returncode == 0
    assert (done.stderr or b"").replace("✗".encode(), b"?") == b""


def test_head_takes_its_lines_and_nobody_complains(reviewed: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" diff | head -n 3', kit.console_script()],
        cwd=reviewed,
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", READING.values(), ids=READING.keys())
def test_an_answer_that_cannot_be_written_is_told_and_is_no_success(reviewed: Path, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [kit.console_script(), *command], cwd=reviewed, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


WAITING = {"bus follow": ("bus", "follow"), "log -f": ("log", "busy", "-f"), "status --watch": ("status", "--watch")}


@pytest.fixture
def busy(repository: Path) -> Path:
    """The repository with a task `busy`, whose agent prints a word and waits to be stopped."""
    done = kit.conductor("spawn", "busy", "--", "sh", "-c", "echo ready; exec sleep 600", cwd=repository)
    assert done.code == 0, done
    return repository


@pytest.mark.parametrize("command", WAITING.values(), ids=WAITING.keys())
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_waiting_command_with_its_code_and_no_traceback(
    busy: Path, command: tuple[str, ...], signum: signal.Signals, code: int
) -> None:
    try:
        process = subprocess.Popen(
            [kit.console_script(), *command], cwd=busy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        if command[0] == "bus":
            kit.until(lambda: _catches(process.pid, signal.SIGTERM) and _sleeps(process.pid))
        else:
            assert process.stdout.readline()
        process.send_signal(signum)
        _, err = process.communicate()
    finally:
        kit.conductor("stop", "busy", cwd=busy)

    assert process.returncode == code
    assert "Traceback" not in err
    assert err.strip() == ""


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _catches(pid: int, signum: signal.Signals) -> bool:
    return bool(int(_status(pid)["SigCgt"], 16) & 1 << (signum - 1))


def _sleeps(pid: int) -> bool:
    return _status(pid)["State"].startswith("S")


@pytest.fixture
def no_git(tmp_path: Path) -> dict[str, str]:
    """An environment in which `git` answers nonsense: what we were never written for."""
    place = tmp_path / "bin"
    place.mkdir()
    script = place / "git"
    script.write_text("#!/bin/sh\necho nonsense\n")
    script.chmod(0o755)
    return {"PATH": f"{place}:{os.environ['PATH']}", "TMPDIR": str(tmp_path), "ACME_TOKEN": "s3cr3t-of-acme"}


def test_a_bug_is_exit_code_3_with_a_log_to_paste(repository: Path, no_git: dict[str, str]) -> None:
    done = kit.conductor("cancel", "prices", "-m", "s3cr3t-of-acme", "--json", cwd=repository, env=no_git)
    told = kit.conductor("cancel", "prices", cwd=repository, env=no_git)

    error = refusal(done)
    assert (done.code, told.code, error["code"]) == (3, 3, "BUG")
    log = Path(error["log"])
    assert "Traceback" in log.read_text()
    assert "s3cr3t-of-acme" not in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "Traceback" not in told.err
    assert "bug" in told.err


def test_a_bug_whose_log_cannot_be_written_is_still_exit_code_3(repository: Path, no_git: dict[str, str]) -> None:
    """Where every place for temporary files is refused, the log goes to standard error."""
    nowhere = {"TMPDIR": "/nonexistent", "PYTHONSAFEPATH": "1"}
    script = (
        "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            script,
            kit.console_script(),
            "cancel",
            "x",
        ],
        cwd=repository,
        env=os.environ | no_git | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done
    assert "ValueError" in done.stderr


def test_the_two_names_of_the_command_are_one(repository: Path) -> None:
    ours = kit.conductor("status", "--json", cwd=repository)
    as_git = subprocess.run(["git", "conductor", "status", "--json"], cwd=repository, capture_output=True, check=True)

    assert json.loads(as_git.stdout) == ours.document
