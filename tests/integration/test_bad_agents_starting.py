"""Agents that are not there, too old, without a key, or that nothing agrees to: told before, or recorded as the end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from conductor_git.processtable import is_alive
from conductor_git.project import open_project
from conductor_git.run import Doing, End, ProcessId, State
from tests import kit
from tests.agents.performing import on_path
from tests.integration.agents import WAIT, worktree
from tests.integration.supervised import DONE, PRICES, OwnWorld, by_shell, prepared, said, settled, supervised
from tests.integration.traces import traces
from tests.kit import tasks


@pytest.fixture
def repository(repository: Path) -> Iterator[Path]:
    """The usual one; what a test of ours left running ends with it."""
    yield repository
    if (repository / ".git" / "conductor" / "tasks" / PRICES).exists():
        kit.conductor("stop", PRICES, cwd=repository)


def program(place: Path, name: str, script: str) -> Path:
    place.mkdir(exist_ok=True)
    file = place / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize("agent", ["claude", "codex", "gemini", "opencode", "aider", "cursor-agent"])
def test_an_agent_that_is_not_installed_is_refused_at_spawn_and_nothing_is_made(
    repository: Path, home: Path, agent: str
) -> None:
    git = shutil.which("git")
    assert git is not None
    (home / "git").symlink_to(git)
    before = traces(repository)

    refused = kit.conductor("spawn", PRICES, "--agent", agent, "--json", cwd=repository, env={"PATH": str(home)})

    error = tasks.refused(refused, "AGENT_FAILED", 19)
    assert error["message"] == f"{agent} is not installed, or not on PATH"
    assert error["hint"] == "conductor-git agents --check"
    assert traces(repository) == before


def test_a_prompt_in_the_place_of_the_command_is_told_where_prompts_go(repository: Path) -> None:
    refused = kit.conductor("spawn", "prices", "add the prices", "--json", cwd=repository)

    assert tasks.refused(refused, "AGENT_FAILED", 19)["hint"] == "conductor-git spawn prices -m 'add the prices'"


def test_an_agent_that_vanished_between_two_attempts_fails_the_task_and_says_so(
    repository: Path, tmp_path: Path
) -> None:
    agent = program(tmp_path / "bin", "fleeting", 'rm "$0"; exit 3')

    run = supervised(prepared(repository, str(agent)))

    assert [(attempt.end, attempt.exit_code, attempt.pid is None) for attempt in run.attempts] == [
        (End.EXITED, 3, False),
        (End.UNSTARTABLE, None, True),
    ]
    assert run.state is State.FAILED
    assert run.reason == f"fleeting could not be started: {agent} is not installed, or not on PATH"
    settled(repository)


def test_where_an_agent_vanished_the_next_one_of_the_list_takes_over(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", on_path())
    monkeypatch.setenv("STAND_IN", json.dumps([f"run:{DONE}"]))
    configured(repository, "agents: {claude: {permissive: true}}\n")
    agent = program(tmp_path / "bin", "fleeting", 'rm "$0"')

    run = supervised(prepared(repository, str(agent), fallbacks=("claude",)))

    assert [(attempt.agent, attempt.end) for attempt in run.attempts] == [
        ("fleeting", End.EXITED),
        ("fleeting", End.UNSTARTABLE),
        ("claude", End.EXITED),
    ]
    assert run.state is State.IN_REVIEW


def configured(repository: Path, text: str) -> None:
    (repository / ".conductor.yaml").write_text(text)
    assert kit.conductor("config", "trust", cwd=repository).code == 0


def test_an_agent_that_is_too_old_fails_the_task_with_what_was_found_and_what_is_needed(
    repository: Path, tmp_path: Path
) -> None:
    program(tmp_path / "bin", "claude", 'echo "$*" >> "${0%/*}/calls"; echo "0.2.114 (Claude Code)"')
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"

    error = tasks.refused(
        kit.conductor("spawn", PRICES, "--agent", "claude", "--json", cwd=repository, env={"PATH": path}),
        "AGENT_FAILED",
        19,
    )

    why = "claude is 0.2.114, and 1.0 or newer is needed"
    assert why in error["message"]
    kit.until(lambda: tasks.record(repository, PRICES).supervision is None)
    run = settled(repository)
    assert (run.state, run.reason) == ("FAILED", f"claude could not be started: {why}")
    assert [(attempt.end, attempt.pid) for attempt in run.attempts] == [(End.UNSTARTABLE, None)]
    assert (tmp_path / "bin" / "calls").read_text() == "--version\n", "it was asked for its version, and never started"


@pytest.mark.parametrize(("agent", "key"), [("perplexity", "PERPLEXITY_API_KEY"), ("xai", "XAI_API_KEY")])
def test_an_agent_without_its_key_is_refused_at_spawn_and_nothing_is_made(
    repository: Path, agent: str, key: str
) -> None:
    before = traces(repository)

    error = tasks.refused(
        kit.conductor("spawn", PRICES, "--agent", agent, "--json", cwd=repository), "AGENT_FAILED", 19
    )

    assert f"no key: {key} has to be set" in error["message"]
    assert traces(repository) == before


def test_a_key_that_is_gone_when_the_attempt_begins_fails_the_task_and_says_which(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XAI_API_KEY", "xai-" + "0123456789abcdefghij")
    project = prepared(repository, agent="xai")
    monkeypatch.delenv("XAI_API_KEY")

    run = supervised(project)

    assert (run.state, run.reason) == (
        "FAILED",
        "xai could not be started: no key: XAI_API_KEY has to be set",
    )
    assert [(attempt.end, attempt.pid) for attempt in run.attempts] == [(End.UNSTARTABLE, None)]


@pytest.mark.parametrize("code", [126, 127])
def test_a_command_that_a_shell_cannot_run_is_not_tried_again(repository: Path, code: int) -> None:
    world = OwnWorld()

    run = by_shell(repository, f"echo no-such-tool: not found >&2; exit {code}", world)

    assert [(attempt.end, attempt.exit_code) for attempt in run.attempts] == [(End.UNSTARTABLE, code)]
    assert run.reason == "sh could not be started: no-such-tool: not found"
    assert world.pauses == []


def test_an_agent_gets_its_own_providers_key_and_no_other(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY", "GEMINI_API_KEY", "PERPLEXITY_API_KEY"}
    for key in keys:
        monkeypatch.setenv(key, f"the value of {key}")
    monkeypatch.setenv("HOUSE_TOKEN", "nobody's provider")
    monkeypatch.setenv("PATH", on_path())
    monkeypatch.setenv("STAND_IN", json.dumps([f"env:{tmp_path / 'env'}"]))

    supervised(prepared(repository, agent="claude"), attempts="1")

    given = json.loads((tmp_path / "env").read_text())
    assert keys & given.keys() == {"ANTHROPIC_API_KEY"}
    assert given["HOUSE_TOKEN"] == "nobody's provider"


BROKEN = "limits: {attempts: many}\n"


def test_a_config_that_cannot_be_used_is_the_recorded_end_of_the_task(repository: Path) -> None:
    project = prepared(repository, "true")
    (repository / ".conductor.yaml").write_text(BROKEN)

    run = supervised(project)

    assert run.state is State.FAILED
    assert (run.reason or "").startswith("the config cannot be used: ")
    assert "limits.attempts" in (run.reason or "")
    assert run.attempts == ()


def test_a_broken_config_leaves_no_agent_of_a_dead_supervisor_behind(repository: Path) -> None:
    worker = orphaned(repository, WAIT)
    (repository / ".conductor.yaml").write_text(BROKEN)

    run = supervised(open_project(repository))

    assert not is_alive(worker)
    assert (run.state, [attempt.end for attempt in run.attempts]) == ("FAILED", [End.STOPPED])


def test_resume_with_a_broken_config_is_refused_and_changes_nothing(repository: Path) -> None:
    prepared(repository, "true")
    (repository / ".conductor.yaml").write_text(BROKEN)
    before = tasks.record(repository, PRICES)

    tasks.refused(kit.conductor("resume", PRICES, "--json", cwd=repository), "BAD_CONFIG", 1)

    assert tasks.record(repository, PRICES) == before


def test_an_agents_command_that_nobody_agreed_to_is_not_run_and_that_is_the_end(
    repository: Path, tmp_path: Path
) -> None:
    configured(repository, "agents: {ours: {command: ['true']}}\n")
    project = prepared(repository, agent="ours")
    (repository / ".conductor.yaml").write_text(f"agents: {{ours: {{command: [touch, {tmp_path / 'ran'}]}}}}\n")

    run = supervised(project)

    assert (run.state, [attempt.end for attempt in run.attempts]) == ("FAILED", [End.UNSTARTABLE])
    assert "commands that you have not agreed to" in (run.reason or "")
    assert not (tmp_path / "ran").exists()


def test_a_living_agent_is_adopted_also_where_the_config_has_changed_under_it(repository: Path) -> None:
    configured(repository, f"agents: {{ours: {{command: [sh, -c, 'echo $$ > pid; {WAIT}']}}}}\n")
    worker = orphaned(repository, agent="ours")
    (repository / ".conductor.yaml").write_text("agents: {ours: {command: ['false']}}\n")
    world = OwnWorld(look=lambda: os.kill(worker.pid, signal.SIGKILL))

    run = supervised(open_project(repository), world, attempts="1")

    assert [(attempt.end, attempt.process) for attempt in run.attempts] == [(End.EXITED, worker)]
    assert not is_alive(worker)


def test_resume_where_the_agent_is_gone_is_refused_and_changes_nothing(repository: Path, tmp_path: Path) -> None:
    prepared(repository, str(program(tmp_path / "bin", "fleeting", "true")))
    (tmp_path / "bin" / "fleeting").unlink()
    before = tasks.record(repository, PRICES)

    tasks.refused(kit.conductor("resume", PRICES, "--json", cwd=repository), "AGENT_FAILED", 19)

    assert tasks.record(repository, PRICES) == before


def test_two_resumes_at_once_start_one_supervisor_and_one_attempt(repository: Path) -> None:
    prepared(repository, "sh", "-c", WAIT)
    command = [str(kit.console_script()), "resume", PRICES, "--json"]

    both = [subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE) for _ in range(2)]
    answers = [json.loads(each.communicate()[0]) for each in both]

    assert [each.returncode for each in both] == [0, 0], answers
    run = tasks.record(repository, PRICES)
    assert run.supervision is not None
    assert (run.supervision.doing, len(run.attempts)) == (Doing.ATTEMPT, 1)
    assert run.attempts[0].supervisor == run.supervision.process
    assert len(said(repository, "RUN_START")) == 1
    assert supervisors_of(repository) == [run.supervision.process.pid]


def supervisors_of(repository: Path) -> list[int]:
    """The processes that are supervisors of `prices` here."""

    def now() -> list[int]:
        wanted = [b"conductor_git.workflow.attend", os.fsencode(repository / ".git"), PRICES.encode()]
        return [pid for pid in psutil.pids() if has(pid, wanted)]

    kit.until(lambda: len(now()) < 2)
    return now()


def has(pid: int, words: list[bytes]) -> bool:
    try:
        return set(words) <= set(Path("/proc", str(pid), "cmdline").read_bytes().split(b"\0"))
    except OSError:
        return False


def orphaned(repository: Path, script: str = "", agent: str | None = None) -> ProcessId:
    """A living agent of `prices` whose supervisor was killed."""
    words = ["--agent", agent] if agent else ["--", "sh", "-c", script]
    assert kit.conductor("spawn", PRICES, *words, cwd=repository).code == 0
    run = tasks.record(repository, PRICES)
    assert run.supervision is not None
    supervisor, worker = run.supervision.process, run.attempts[-1].process
    os.kill(supervisor.pid, signal.SIGKILL)
    kit.until(lambda: not is_alive(supervisor))
    assert worker is not None
    return worker


def test_a_supervisor_that_finds_another_one_leaves_the_task_alone(repository: Path) -> None:
    kit.conductor("spawn", PRICES, "--", "sh", "-c", WAIT, cwd=repository)
    before = tasks.record(repository, PRICES)

    run = supervised(open_project(repository))

    assert run == before
    assert worktree(repository).is_dir()
