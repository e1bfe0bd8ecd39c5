"""Agents that print too much, what is no text, or secrets; and what is planted where we read."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_git.masking import MASK
from conductor_git.run import Attempt, End, State
from conductor_git.runner import logs
from tests import kit
from tests.agents.performing import on_path
from tests.integration.agents import WAIT
from tests.integration.supervised import PRICES, OwnWorld, by_shell, folder, prepared, said, settled, supervised
from tests.kit import tasks

_FLOOD = 300_000_000
_MOST_MEMORY_KIB = 160 * 1024
_NOTE = "bytes left out ...]"


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    if (repository / ".git" / "conductor" / "tasks" / PRICES).exists():
        kit.conductor("stop", PRICES, cwd=repository)


def log_of(repository: Path, attempt: Attempt, name: str = "stdout.log") -> bytes:
    return (folder(repository, attempt) / name).read_bytes()


def test_of_hundreds_of_megabytes_a_bounded_log_is_left_and_the_supervisor_stays_small(repository: Path) -> None:
    line = "a line of an agent that cannot stop talking about the prices of apples and pears"
    script = f"echo first; yes '{line}' | head -c {_FLOOD}; echo; echo last; touch ../said; {WAIT}"
    once = {"CONDUCTOR_LIMITS_ATTEMPTS": "1"}
    assert kit.conductor("spawn", PRICES, "--", "sh", "-c", script, cwd=repository, env=once).code == 0
    run = tasks.record(repository, PRICES)
    assert run.supervision is not None
    supervisor = run.supervision.process
    most = 0

    def has_peaked() -> bool:
        nonlocal most
        most = max(most, peak_memory(supervisor.pid))
        return tasks.record(repository, PRICES).supervision is None

    kit.until((repository.parent / "acme.worktrees" / "said").exists)
    stopping = threading.Thread(target=kit.conductor, args=("stop", PRICES), kwargs={"cwd": repository})
    stopping.start()
    kit.until(has_peaked)
    stopping.join()

    attempt = settled(repository).attempts[0]
    log = log_of(repository, attempt)
    assert attempt.end is End.STOPPED
    assert len(log) <= logs.LOG_BYTES + 100
    assert log.startswith(f"first\n{line}\n".encode())
    assert log.endswith(b"\nlast\n")
    assert _NOTE.encode() in log
    assert 0 < most < _MOST_MEMORY_KIB, f"{most} KiB"


def peak_memory(pid: int) -> int:
    """The most memory that the process has had, in KiB; 0 where it is gone."""
    try:
        lines = Path("/proc", str(pid), "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def test_a_flood_keeps_the_supervisor_from_nothing_else(repository: Path) -> None:
    run = by_shell(repository, "exec yes", attempts="1", attempt_time="1s")

    assert (run.state, run.attempts[0].end) == (State.FAILED, End.TIMED_OUT)
    log = log_of(repository, run.attempts[0])
    (left_out,) = re.findall(rb"\n\[\.\.\. (\d+) bytes left out \.\.\.\]\n", log)
    assert int(left_out) > logs.LOG_BYTES
    assert len(log) <= logs.LOG_BYTES + 100
    settled(repository)


def test_a_line_of_a_hundred_megabytes_is_taken_for_what_it_is(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", on_path())
    monkeypatch.setenv("STAND_IN", json.dumps(["say:before", "line:100000000", "say:after"]))
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here, proc(5)
    before = peak_memory(os.getpid())

    run = supervised(prepared(repository, agent="claude"), attempts="1")

    attempt = run.attempts[0]
    assert (attempt.end, attempt.exit_code) == (End.EXITED, 0)
    assert (folder(repository, attempt) / "output.md").read_text() == "after"
    assert len(log_of(repository, attempt)) <= logs.LOG_BYTES + 100
    assert peak_memory(os.getpid()) - before < _MOST_MEMORY_KIB  # none, where the process had room already


def test_what_is_no_text_and_no_stream_breaks_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", on_path())
    monkeypatch.setenv("STAND_IN", json.dumps(["garbage", "say:in the end it spoke", "stderr:odd", "exit:4"]))

    run = supervised(prepared(repository, agent="claude"), attempts="1")

    attempt = run.attempts[0]
    assert (attempt.end, attempt.exit_code) == (End.EXITED, 4)
    assert b"\xff\xfe\x80 no text\n" in log_of(repository, attempt), "the log keeps the bytes as they are"
    assert kit.conductor("log", PRICES, cwd=repository).code == 0
    assert kit.conductor("show", PRICES, "--json", cwd=repository).document["task"]["state"] == "FAILED"


def test_invalid_utf8_on_both_streams_is_kept_and_told_as_text(repository: Path) -> None:
    run = by_shell(repository, r"printf 'caf\351\n'; printf 'no\377\n' >&2; exit 1", attempts="1")

    attempt = run.attempts[0]
    assert log_of(repository, attempt) == b"caf\xe9\n"
    assert log_of(repository, attempt, "stderr.log") == b"no\xff\n"
    assert attempt.why == "no\N{REPLACEMENT CHARACTER}"
    assert run.reason == f"sh ended with exit code 1: {attempt.why}"


FORMATS = {
    "openai": "sk-" + "proj-0123456789abcdefABCDEF",
    "anthropic": "sk-" + "ant-api03-0123456789abcdef",
    "github": "ghp" + "_0123456789abcdefghijABCDEFGHIJ012345",
    "aws": "AKIA" + "0123456789ABCDEF",
    "google": "AIza" + "0123456789abcdefghijABCDEFGHIJ01234",
    "bearer": "Bearer " + "abcdef0123456789.ABCDEF",
}
OWN = {
    "HOUSE_TOKEN": "the token of the house",
    "HOUSE_KEY": "correct horse battery",
    "HOUSE_SECRET": "staple\nof two lines",
}


def test_secrets_that_an_agent_prints_are_in_no_file_message_or_command_of_ours(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in OWN.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "keys").write_text("\n".join([*FORMATS.values(), ""]))
    tell = f'printf "%s\\n" "$HOUSE_TOKEN" "$HOUSE_KEY" "$HOUSE_SECRET"; cat {tmp_path / "keys"}'
    script = f'{tell}; ({tell}) | tee "$CONDUCTOR_OUTPUT" >&2; echo "no: $HOUSE_KEY, ${{HOUSE_TOKEN}}" >&2; exit 1'

    run = by_shell(repository, script, attempts="1")

    attempt = run.attempts[0]
    assert attempt.why == f"no: {MASK}, {MASK}"
    assert run.reason == f"sh ended with exit code 1: no: {MASK}, {MASK}"
    shown = kit.conductor("log", PRICES, cwd=repository).out + kit.conductor("show", PRICES, cwd=repository).out
    assert leaks(shown.encode()) == []
    assert (folder(repository, attempt) / "output.md").read_text().count(MASK) == len(FORMATS) + len(OWN)
    written = [path for path in (repository / ".git" / "conductor").rglob("*") if path.is_file()]
    assert [(path.name, leaks(path.read_bytes())) for path in written if leaks(path.read_bytes())] == []


def test_a_secret_that_an_agent_complains_about_in_its_stream_is_in_no_reason(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOUSE_KEY", OWN["HOUSE_KEY"])
    (tmp_path / "bin").mkdir()
    agent = tmp_path / "bin" / "claude"
    words = {"type": "result", "subtype": "success", "is_error": True, "result": f"cannot use {OWN['HOUSE_KEY']}"}
    agent.write_text(f"#!/bin/sh\n[ $1 = --version ] && exec echo 2.1.83\necho '{json.dumps(words)}'; exit 1\n")
    agent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{agent.parent}{os.pathsep}{os.environ['PATH']}")

    run = supervised(prepared(repository, agent="claude"), attempts="1")

    assert run.attempts[0].why == f"cannot use {MASK}"
    assert leaks((repository / ".git/conductor/tasks/prices/run-info.yaml").read_bytes()) == []


def leaks(data: bytes) -> list[str]:
    return [secret for secret in (*FORMATS.values(), *OWN.values()) if secret.encode() in data]


def test_an_answer_that_an_agent_leaves_stays_as_it_is_to_the_byte_where_it_holds_no_secret(repository: Path) -> None:
    run = by_shell(repository, r"""printf 'caf\351\n\n two  \n\n' > "$CONDUCTOR_OUTPUT"; echo spoken""", attempts="1")

    assert (folder(repository, run.attempts[0]) / "output.md").read_bytes() == b"caf\xe9\n\n two  \n\n"


@pytest.mark.parametrize("name", ["output.md", "stdout.log", "stderr.log"])
def test_a_link_that_an_agent_plants_in_its_folder_is_not_followed(repository: Path, tmp_path: Path, name: str) -> None:
    private = tmp_path / "private"
    private.write_text(f"not for you: {FORMATS['github']}\n")
    script = f'f="${{CONDUCTOR_OUTPUT%/*}}/{name}"; rm -f "$f"; ln -s {private} "$f"; echo hello; exit 1'

    run = by_shell(repository, script, attempts="1")

    assert private.read_text() == f"not for you: {FORMATS['github']}\n"
    assert (folder(repository, run.attempts[0]) / name).readlink() == private
    assert run.attempts[0].why is None
    shown = kit.conductor("log", PRICES, *(["--stderr"] if name == "stderr.log" else []), cwd=repository)
    assert "not for you" not in shown.out
    assert all("not for you" not in message.body for message in said(repository))
    settled(repository)


@pytest.mark.parametrize("name", ["output.md", "stdout.log"])
@pytest.mark.parametrize("make", ["mkfifo", "mkdir"])
def test_what_is_no_file_in_the_place_of_one_keeps_nobody(repository: Path, name: str, make: str) -> None:
    run = by_shell(repository, f'f="${{CONDUCTOR_OUTPUT%/*}}/{name}"; rm -f "$f"; {make} "$f"; exit 1', attempts="1")

    assert (run.state, run.attempts[0].exit_code) == (State.FAILED, 1)


def test_a_log_that_is_cut_while_its_agent_writes_is_read_on_from_there(repository: Path) -> None:
    world = OwnWorld()
    script = 'yes | head -n 1000; : > "${CONDUCTOR_OUTPUT%/*}/stdout.log"; echo the last word'

    run = by_shell(repository, script, world, attempts="1")

    assert log_of(repository, run.attempts[0]).endswith(b"the last word\n")
