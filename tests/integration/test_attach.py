"""attach: an agent followed live, from one attempt to the next, which never minds who looks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conductor_git.processtable import is_alive
from conductor_git.run import State
from conductor_git.workflow.attach import SAID_BEFORE
from tests import kit
from tests.integration.agents import WAIT, attempt_of, ended, launch, worktree
from tests.kit import tasks

KEY = "sk-proj-0123456789abcdefghij"
DONE = "rm -f go again; git commit --quiet --allow-empty -m work; conductor-git done >/dev/null 2>&1"


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    kit.conductor("stop", "prices", cwd=repository)


def until_there(name: str) -> str:
    return f"until [ -e {name} ]; do sleep 0.02; done"


@contextmanager
def attached(repository: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    command: list[str | Path] = [kit.console_script(), "attach", "prices", *options]
    with subprocess.Popen(
        command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_attach_tells_what_was_said_and_what_comes_until_the_work_is_handed_in(repository: Path) -> None:
    launch(repository, f"echo one; {until_there('go')}; echo two; {DONE}")

    with attached(repository) as process:
        assert line(process) == "one\n"
        (worktree(repository) / "go").touch()
        out, err = process.communicate()

    assert (process.returncode, out) == (0, "two\n")
    assert err.splitlines() == [
        "◎ prices: attempt 1, by sh; ^C leaves it alone",
        "○ prices: attempt 1 is over: sh ended after it had handed in",
        "✓ prices is IN_REVIEW",
        "↳ conductor-git diff prices",
    ]


def test_attach_goes_on_to_the_next_attempt_and_says_what_is_waited_for(repository: Path) -> None:
    script = f"echo began; {until_there('go')}; [ -e again ] || {{ touch again; exit 3; }}; {DONE}"
    limits = {"CONDUCTOR_LIMITS_ATTEMPTS": "2", "CONDUCTOR_LIMITS_BACKOFF": "1s"}
    spawned = kit.conductor("spawn", "prices", "--", "sh", "-c", script, cwd=repository, env=limits)
    assert spawned.code == 0, spawned

    with attached(repository) as process:
        assert line(process) == "began\n"
        (worktree(repository) / "go").touch()
        out, err = process.communicate()

    told = [said for said in err.splitlines() if "waits until" not in said]
    assert (process.returncode, out) == (0, "began\n")
    assert told == [
        "◎ prices: attempt 1, by sh; ^C leaves it alone",
        "○ prices: attempt 1 is over: sh ended with exit code 3",
        "◎ prices: attempt 2, by sh; ^C leaves it alone",
        "○ prices: attempt 2 is over: sh ended after it had handed in",
        "✓ prices is IN_REVIEW",
        "↳ conductor-git diff prices",
    ]
    assert any("waits until" in said and "attempt 1 of 2 ended with exit code 3" in said for said in err.splitlines())


def test_a_failed_task_is_told_with_its_reason_and_the_way_on(repository: Path) -> None:
    launch(repository, "echo one; exit 4")
    kit.until(lambda: tasks.record(repository, "prices").state is State.FAILED)

    done = kit.conductor("attach", "prices", cwd=repository)

    assert (done.code, done.out) == (0, "one\n")
    assert done.err.splitlines()[-2:] == [
        "✗ prices is FAILED: sh ended with exit code 4",
        "↳ conductor-git retry prices",
    ]


def test_attach_to_a_task_that_never_had_an_agent_is_refused(repository: Path) -> None:
    tasks.spawn(repository, "prices")

    error = tasks.refused(kit.conductor("attach", "prices", "--json", cwd=repository), "NOT_FOUND", 18)

    assert error["message"] == "prices has no agent"


def test_attach_begins_with_the_end_of_what_was_said_before(repository: Path) -> None:
    launch(repository, f"seq 1000; {until_there('go')}")
    log = repository / ".git/conductor/tasks/prices/attempts" / attempt_of(repository).run_id / "stdout.log"
    kit.until(lambda: log.read_text().endswith("1000\n"))

    with attached(repository) as process, attached(repository, "--raw") as raw:
        told = [[line(one) for _ in range(SAID_BEFORE)] for one in (process, raw)]

    assert told == [[f"{number}\n" for number in range(1001 - SAID_BEFORE, 1001)]] * 2


def test_ctrl_c_leaves_the_agent_alone(repository: Path) -> None:
    attempt = launch(repository, f"echo one; {WAIT}")
    assert attempt.process is not None

    with attached(repository) as process:
        line(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()

    assert (process.returncode, out) == (130, "")
    assert "the agent of prices is left alone" in err
    assert is_alive(attempt.process)
    assert attempt_of(repository) == attempt


def test_a_closed_pipe_ends_attach_quietly_and_leaves_the_agent_alone(repository: Path) -> None:
    attempt = launch(repository, f"echo one; {until_there('go')}; echo two; {WAIT}")
    assert attempt.process is not None

    with attached(repository) as process:
        assert line(process) == "one\n"
        assert process.stdout is not None
        process.stdout.close()
        (worktree(repository) / "go").touch()
        assert process.stderr is not None
        err = process.stderr.read()
        code = process.wait()

    assert (code, err) == (0, "◎ prices: attempt 1, by sh; ^C leaves it alone\n")
    assert is_alive(attempt.process)


def test_attach_ends_where_agent_and_supervisor_are_both_gone(repository: Path) -> None:
    attempt = launch(repository, f"echo one; {WAIT}")
    assert attempt.supervisor is not None
    assert attempt.process is not None

    with attached(repository) as process:
        line(process)
        for gone in (attempt.supervisor, attempt.process):
            os.kill(gone.pid, signal.SIGKILL)
        _, err = process.communicate()

    assert process.returncode == 0
    assert err.splitlines()[1:] == [
        "○ prices: attempt 1 is over: sh vanished together with its supervisor",
        "○ prices is WORKING, and nobody is at work on it",
        "↳ conductor-git resume prices",
    ]


def test_attach_follows_an_agent_whose_supervisor_is_gone(repository: Path) -> None:
    attempt = launch(repository, f"echo one; {until_there('go')}; echo two")
    assert attempt.supervisor is not None
    os.kill(attempt.supervisor.pid, signal.SIGKILL)

    with attached(repository) as process:
        assert line(process) == "one\n"
        (worktree(repository) / "go").touch()
        out, _ = process.communicate()

    assert (process.returncode, out) == (0, "two\n")


@pytest.mark.parametrize("command", [("attach",), ("attach", "--raw"), ("attach", "--json"), ("log", "-f")])
def test_what_a_living_agent_prints_is_shown_without_its_secrets(repository: Path, command: tuple[str, ...]) -> None:
    name, *options = command
    launch(repository, f"printf 'key {KEY[:9]}'; {until_there('go')}; echo '{KEY[9:]}!'; {WAIT}")
    follower = subprocess.Popen(
        [kit.console_script(), name, "prices", *options], cwd=repository, stdout=subprocess.PIPE, text=True
    )
    with follower:
        (worktree(repository) / "go").touch()
        assert follower.stdout is not None
        told = next(text for text in follower.stdout if "key " in text)
        follower.kill()

    assert "key [masked]!" in told
    assert KEY[9:] not in told


@pytest.mark.parametrize("options", [(), ("--raw",)])
def test_nothing_is_lost_or_told_twice_where_the_log_is_replaced_by_one_without_secrets(
    repository: Path, options: tuple[str, ...]
) -> None:
    """The sealed log is shorter; the follower is stopped meanwhile, so that it meets it with all of this unread."""
    launch(repository, f"echo {KEY}; {until_there('go')}; seq 2000")

    with attached(repository, *options) as process:
        assert line(process) == "[masked]\n"
        process.send_signal(signal.SIGSTOP)
        (worktree(repository) / "go").touch()
        ended(repository)
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate()

    assert out.splitlines() == [*map(str, range(1, 2001))]


def test_stderr_and_raw_are_the_bytes_as_they_came(repository: Path) -> None:
    launch(repository, r"printf 'a\033[31mb\r\n'; echo oops >&2")
    ended(repository)

    raw = kit.conductor("attach", "prices", "--raw", cwd=repository)
    errors = kit.conductor("attach", "prices", "--stderr", cwd=repository)

    assert (raw.out, errors.out) == ("a\x1b[31mb\r\n", "oops\n")


def test_on_a_terminal_the_agent_steers_nothing(repository: Path) -> None:
    launch(repository, r"printf 'a\033]0;title\007b\033[2Jc\n'")
    ended(repository)

    shown = [kit.on_a_terminal(repository, "attach", "prices", *options) for options in ((), ("--raw",))]

    assert "abc\n" in shown[0]
    assert [text.count("\x1b]0") + text.count("\x1b[2J") for text in shown] == [0, 0]


def test_json_is_a_document_a_line_from_the_attempt_to_the_task(repository: Path) -> None:
    launch(repository, f"echo one; {DONE}")
    kit.until(lambda: tasks.record(repository, "prices").state is State.IN_REVIEW)
    ended(repository)

    done = kit.conductor("attach", "prices", "--json", cwd=repository)

    documents: list[dict[str, Any]] = [json.loads(text) for text in done.out.splitlines()]
    assert [next(key for key in found if key != "schema") for found in documents] == [
        "attempt",
        "said",
        "attempt",
        "task",
    ]
    assert all(found["schema"] == 1 for found in documents)
    assert documents[1]["said"]["text"] == "one\n"
    assert (documents[2]["attempt"]["number"], documents[2]["attempt"]["end"]) == (1, "exited")
    assert documents[3]["task"]["state"] == "IN_REVIEW"


def test_json_with_raw_is_refused(repository: Path) -> None:
    tasks.refused(kit.conductor("attach", "prices", "--json", "--raw", cwd=repository), "BAD_INPUT", 2)


def test_attach_changes_nothing(repository: Path) -> None:
    launch(repository, "echo one")
    kit.until(lambda: tasks.record(repository, "prices").supervision is None)
    state = repository / ".git" / "conductor"

    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}

    before = files()
    assert kit.conductor("attach", "prices", cwd=repository).code == 0

    assert files() == before
