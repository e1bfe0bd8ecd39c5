"""spawn -- COMMAND: an agent runs on its own, leaves a record however it ends, and `stop` leaves nothing of it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conductor_git.process import stragglers
from conductor_git.processtable import identify, is_alive
from conductor_git.run import Attempt, ProcessId
from tests import kit
from tests.integration.agents import WAIT, attempt_of, ended, launch, worktree
from tests.integration.traces import traces
from tests.kit import tasks


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    project = repository / ".git" / "conductor" / "tasks"
    for task in project.iterdir() if project.exists() else ():
        kit.conductor("stop", task.name, cwd=repository)


def folder(repository: Path, attempt: Attempt) -> Path:
    return repository / ".git" / "conductor" / "tasks" / "prices" / "attempts" / attempt.run_id


def messages(repository: Path, *types: str) -> list[dict[str, Any]]:
    options = [word for kind in types for word in ("--type", kind)]
    found: list[dict[str, Any]] = kit.conductor(
        "bus", "read", "--task", "prices", *options, "--json", cwd=repository
    ).document["messages"]
    return found


def process(attempt: Attempt) -> ProcessId:
    assert attempt.process is not None
    return attempt.process


def file_of(worktree_file: Path) -> str:
    """What an agent wrote into a file, once it is there."""
    return kit.until(lambda: worktree_file.read_text() if worktree_file.exists() else "").strip()


def test_an_agent_runs_detached_in_a_session_of_its_own_in_its_worktree(repository: Path) -> None:
    attempt = launch(repository, f"pwd > place.txt; {WAIT}")

    assert file_of(worktree(repository) / "place.txt") == str(worktree(repository))
    assert attempt.pid is not None
    assert os.getsid(attempt.pid) == attempt.pid == attempt.pgid
    assert attempt.supervisor is not None
    assert os.getsid(attempt.supervisor.pid) == attempt.supervisor.pid
    assert identify(attempt.pid) == process(attempt)
    assert is_alive(attempt.supervisor)
    run = tasks.record(repository, "prices")
    assert (run.state, run.agent, len(run.attempts)) == ("WORKING", "sh", 1)
    (row,) = kit.conductor("status", "--json", cwd=repository).document["tasks"]
    assert row["health"] == "alive"


def test_an_agent_finds_itself_in_its_environment_and_nothing_that_leads_elsewhere(repository: Path) -> None:
    other = {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "CONDUCTOR_TASK_ID": "other", "HOUSE_RULE": "kept"}
    done = kit.conductor(
        "spawn", "prices", "--", "sh", "-c", "env -0 > ../env; which conductor-git", cwd=repository, env=other
    )
    assert done.code == 0, done
    attempt = ended(repository)

    pairs = (worktree(repository).parent / "env").read_text().split("\0")
    variables = dict(pair.split("=", 1) for pair in pairs if pair)
    assert variables["CONDUCTOR_WORKER_CTX"] == str(worktree(repository) / ".worker-ctx.json")
    assert variables["CONDUCTOR_TASK_ID"] == "prices"
    assert variables["CONDUCTOR_PROJECT_ID"] == "acme"
    assert variables["CONDUCTOR_RUN_ID"] == attempt.run_id
    assert variables["CONDUCTOR_BUS"] == f"file:{repository}/.git/conductor/MESSAGE-BUS.md"
    assert variables["CONDUCTOR_GENERATION"] == "1"
    assert variables["PWD"] == str(worktree(repository))
    assert variables["CONDUCTOR_FENCE_BRANCH"] == "refs/heads/worker/prices"
    assert variables["HOUSE_RULE"] == "kept"
    assert not variables.keys() & {"GIT_DIR", "GIT_INDEX_FILE"}
    assert kit.conductor("log", "prices", cwd=repository).out.strip() == str(kit.console_script())


def test_an_agent_is_given_its_prompt_and_its_output_is_kept_apart_and_private(repository: Path) -> None:
    launch(repository, "cat; echo trouble >&2", "-m", "Fix the prices\n\nAll of them.")
    place = folder(repository, ended(repository))

    prompt = (place / "prompt.md").read_text()
    assert prompt.startswith("Fix the prices\n\nAll of them.")
    assert (place / "stdout.log").read_text() == prompt
    assert (place / "stderr.log").read_text() == "trouble\n"
    assert stat.S_IMODE((place / "stdout.log").stat().st_mode) == 0o600
    assert kit.conductor("log", "prices", "--stderr", cwd=repository).out == "trouble\n"


def test_an_exit_without_done_is_told_and_after_the_last_attempt_the_task_has_failed(repository: Path) -> None:
    launch(repository, "exit 0")
    attempt = ended(repository)

    assert (attempt.end, attempt.exit_code, attempt.signal) == ("exited", 0, None)
    (start, stop) = kit.until(lambda: both if len(both := messages(repository, "RUN_START", "RUN_STOP")) == 2 else [])
    assert [start["type"], stop["type"]] == ["RUN_START", "RUN_STOP"]
    assert {start["run_id"], stop["run_id"]} == {attempt.run_id}
    assert stop["body"] == "sh ended without `done`"
    kit.until(lambda: tasks.record(repository, "prices").state == "FAILED")
    assert tasks.record(repository, "prices").reason == "sh ended without `done`"


def test_an_exit_after_done_leaves_the_task_in_review_whatever_the_code(repository: Path) -> None:
    launch(repository, "echo 1 > new.txt; git add new.txt; git commit -qm new; conductor-git done; exit 5")
    attempt = ended(repository)

    kit.until(lambda: messages(repository, "RUN_CRASH"))
    assert attempt.exit_code == 5
    assert tasks.record(repository, "prices").state == "IN_REVIEW"


def test_a_bad_exit_fails_the_task_with_the_reason(repository: Path) -> None:
    launch(repository, "exit 7")
    attempt = ended(repository)

    run = kit.until(lambda: run if (run := tasks.record(repository, "prices")).state == "FAILED" else None)
    assert run is not None
    assert (attempt.end, attempt.exit_code, attempt.signal) == ("exited", 7, None)
    assert run.reason == "sh ended with exit code 7"
    (crash,) = messages(repository, "RUN_CRASH")
    assert "exit code 7" in crash["body"]
    assert messages(repository, "RUN_STOP") == []
    assert worktree(repository).is_dir()


def test_a_signal_that_ended_the_agent_is_on_record_and_on_the_bus(repository: Path) -> None:
    launch(repository, "kill -KILL $$")
    attempt = ended(repository)

    kit.until(lambda: tasks.record(repository, "prices").state == "FAILED")
    assert (attempt.end, attempt.exit_code, attempt.signal) == ("killed", None, "SIGKILL")
    assert tasks.record(repository, "prices").reason == "sh was ended by SIGKILL"
    (crash,) = messages(repository, "RUN_CRASH")
    assert "SIGKILL" in crash["body"]


def test_a_command_that_is_not_there_is_refused_before_anything_is_made(repository: Path) -> None:
    for command in ("no-such-agent-at-all", str(repository / "README.md"), "/no/such/agent"):
        before = traces(repository)

        error = tasks.refused(
            kit.conductor("spawn", "prices", "--json", "--", command, cwd=repository), "AGENT_FAILED", 19
        )

        assert command in error["message"]
        assert traces(repository) == before


@pytest.mark.parametrize("command", ["./agent", "./no-such-agent"])
def test_a_command_that_cannot_be_run_fails_the_task_and_says_why(repository: Path, command: str) -> None:
    tasks.commit(repository, {"agent": "#!/no/such/interpreter\n"})
    (repository / "agent").chmod(0o755)
    kit.git(repository, "commit", "--quiet", "--all", "--amend", "--no-edit")

    done = kit.conductor("spawn", "prices", "--json", "--", command, cwd=repository)

    tasks.refused(done, "AGENT_FAILED", 19)
    kit.until(lambda: tasks.record(repository, "prices").state == "FAILED")
    attempt = attempt_of(repository)
    assert (attempt.end, attempt.pid, attempt.ended_at is None) == ("unstartable", None, False)
    assert "could not be started" in (tasks.record(repository, "prices").reason or "")


def test_the_heartbeat_of_an_agent_beats_without_it(repository: Path) -> None:
    launch(repository, WAIT)
    heartbeat = repository / ".git" / "conductor" / "tasks" / "prices" / "heartbeat"

    kit.until(heartbeat.exists)

    assert heartbeat.read_bytes() == b""


STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
while True:
    time.sleep(600)
"""
FAMILY = f"""
{sys.executable} -c '{STUBBORN}' deaf.pid &
setsid {sys.executable} -c '{STUBBORN}' apart.pid &
(sleep 600 & echo $! > grandchild.pid; wait) &
echo $$ > leader.pid
wait
"""


def family(repository: Path) -> list[ProcessId]:
    """The processes of FAMILY, once all of them have told their number."""
    names = ("deaf.pid", "apart.pid", "grandchild.pid", "leader.pid")
    found = [identify(int(file_of(worktree(repository) / name))) for name in names]
    assert all(found)
    return [member for member in found if member is not None]


def test_stop_ends_the_whole_group_and_what_made_a_session_of_its_own(repository: Path) -> None:
    attempt = launch(repository, FAMILY)
    members = family(repository)
    supervisor = attempt.supervisor
    assert supervisor is not None

    done = kit.conductor("stop", "prices", "--json", cwd=repository)

    assert (done.code, done.document["stopped"]) == (0, True)
    assert [member for member in members if is_alive(member)] == []
    assert stragglers(attempt.run_id) == ()
    kit.until(lambda: not is_alive(supervisor))
    after = attempt_of(repository)
    assert (after.end, after.signal is None) == ("stopped", False)
    assert after.ended_at is not None
    assert [message["body"] for message in messages(repository, "RUN_STOP")] == ["sh was stopped"]
    assert messages(repository, "RUN_CRASH") == []
    assert tasks.record(repository, "prices").state == "WORKING"


def test_stop_ends_everything_when_the_supervisor_was_killed(repository: Path) -> None:
    attempt = launch(repository, FAMILY)
    members = family(repository)
    supervisor = attempt.supervisor
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    kit.until(lambda: not is_alive(supervisor))
    assert all(map(is_alive, members)), "the agent itself is not hurt by it"

    done = kit.conductor("stop", "prices", "--json", cwd=repository)

    assert done.document["stopped"] is True
    assert [member for member in members if is_alive(member)] == []
    assert attempt_of(repository).end == "stopped"
    assert [message["body"] for message in messages(repository, "RUN_STOP")] == ["sh was stopped"]


def test_stop_of_what_is_not_running_changes_nothing_and_says_so(repository: Path) -> None:
    launch(repository, "exit 0")
    kit.until(lambda: (run := tasks.record(repository, "prices")).state == "FAILED" and run.supervision is None)
    before = attempt_of(repository)

    done = kit.conductor("stop", "prices", "--json", cwd=repository)

    assert (done.code, done.document["stopped"]) == (0, False)
    assert attempt_of(repository) == before


def test_an_agent_that_vanished_with_its_supervisor_is_dead_and_stop_records_its_end(repository: Path) -> None:
    attempt = launch(repository, WAIT)
    supervisor = attempt.supervisor
    assert supervisor is not None
    for victim in (supervisor, process(attempt)):
        os.kill(victim.pid, signal.SIGKILL)
        gone(victim)

    (row,) = kit.conductor("status", "--json", cwd=repository).document["tasks"]
    assert row["health"] == "dead"
    kit.conductor("heartbeat", "prices", cwd=repository)
    (row,) = kit.conductor("status", "--json", cwd=repository).document["tasks"]
    assert row["health"] == "dead", "a fresh heartbeat does not make a dead process live"
    assert kit.conductor("stop", "prices", cwd=repository).code == 0
    assert attempt_of(repository).end == "stopped"


def gone(process: ProcessId) -> None:
    kit.until(lambda: not is_alive(process))


def test_cancel_and_fail_from_outside_end_the_agent_first(repository: Path) -> None:
    members = []
    for command in ("cancel", "fail"):
        attempt = launch(repository, WAIT) if command == "cancel" else retried(repository)
        members.append(process(attempt))

        assert kit.conductor(command, "prices", cwd=repository).code == 0

        assert not is_alive(members[-1])
        assert attempt_of(repository).end == "stopped"
    assert tasks.record(repository, "prices").state == "FAILED"
    assert tasks.record(repository, "prices").generation == 2


def retried(repository: Path) -> Attempt:
    assert kit.conductor("retry", "prices", cwd=repository).code == 0
    return attempt_of(repository)


def test_an_agent_that_fails_its_own_task_is_left_to_finish_its_words(repository: Path) -> None:
    launch(repository, "conductor-git fail -m 'the API is gone'; echo last words")
    attempt = ended(repository)

    assert (attempt.end, attempt.exit_code) == ("exited", 0)
    assert tasks.record(repository, "prices").reason == "the API is gone"
    assert "last words" in kit.conductor("log", "prices", cwd=repository).out


@kit.requires("script")
def test_an_agent_survives_the_closing_of_the_terminal_it_was_started_from(repository: Path) -> None:
    pids = repository.parent / "shell.pid"
    inner = f"echo $$ > {pids}; {kit.console_script()} spawn prices -- sh -c '{WAIT}'; exec sleep 600"
    terminal = subprocess.Popen(
        ["script", "--quiet", "--command", f'sh -c "{inner}"', "/dev/null"],
        cwd=repository,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    kit.until((repository / ".git/conductor/tasks/prices/run-info.yaml").exists)
    attempt = kit.until(lambda: a if (a := attempts(repository)) and a[-1].pid else None)[-1]  # type: ignore[index]
    shell = identify(int(pids.read_text()))
    assert shell is not None

    terminal.kill()  # the terminal's own end: its shell gets SIGHUP
    terminal.communicate()

    kit.until(lambda: not is_alive(shell))
    assert is_alive(process(attempt))
    assert attempt.supervisor is not None
    assert is_alive(attempt.supervisor)
    assert attempt_of(repository).ended_at is None


def attempts(repository: Path) -> tuple[Attempt, ...]:
    return tasks.record(repository, "prices").attempts


def test_a_landing_does_not_take_the_worktree_from_under_an_agent_that_goes_on(repository: Path) -> None:
    script = "echo 1 >> README.md && git commit -qam work && conductor-git done >/dev/null 2>&1; exec sleep 600"
    attempt = launch(repository, script)
    kit.until(lambda: tasks.record(repository, "prices").state == "IN_REVIEW")
    tasks.approve(repository, "prices")

    merged = kit.conductor("merge", "prices", "--json", cwd=repository)

    assert merged.code == 0, merged
    assert merged.document["cleanup"]["worktree_removed"] is False
    assert "conductor-git stop prices" in merged.document["cleanup"]["kept_because"]
    assert attempt.process is not None
    assert is_alive(attempt.process)
    assert kit.conductor("stop", "prices", cwd=repository).code == 0
    kit.until(lambda: kit.git(repository, "branch", "--list", "worker/prices") == "")
    assert not worktree(repository).exists()
