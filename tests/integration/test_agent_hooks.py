"""What the hooks of agents call, with events as their documentation shows them (tests/agents/payloads)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conductor_git.cli.agent.hook import pieces
from conductor_git.fence import SOURCE
from tests import kit
from tests.integration.test_hot_imports import LIBRARIES, SLOW
from tests.integration.test_hot_imports import imported as imported_by
from tests.kit import tasks

PAYLOADS = Path(__file__).parents[1] / "agents" / "payloads"
AGENTS = ("claude", "codex", "gemini")
MOST_TAKEN = 10_000
"""Claude Code and Codex cut what is longer."""


def event(agent: str, name: str, **changed: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{agent}.json").read_text())[name]
    return found | changed


def commands(agent: str) -> dict[str, str]:
    """Event → the words after `conductor-git` of the one command that the fragment has for it."""
    hooks = json.loads((SOURCE / "agents" / f"{agent}.json").read_text())["hooks"]
    return {
        name: hook["command"].removeprefix("conductor-git ")
        for name, groups in hooks.items()
        for group in groups
        for hook in group["hooks"]
    }


def answered(place: Path, said: dict[str, Any], agent: str = "claude", **variables: str) -> Any:
    """The answer to an event, as the agent would read it; None for silence. It never fails and never blocks by code."""
    words = commands(agent)[said["hook_event_name"]].split()
    done = kit.conductor(*words, cwd=place, input=json.dumps(said), env=variables)
    assert (done.code, done.err) == (0, ""), done
    return json.loads(done.out) if done.out else None


@pytest.mark.parametrize("agent", AGENTS)
def test_a_session_begins_with_the_context_and_the_news(repository: Path, agent: str) -> None:
    place = tasks.spawn(repository, "prices", prompt="Prices in cents")
    assert kit.conductor("bus", "post", "--task", "prices", "the currency is the euro", cwd=repository).code == 0

    answer = answered(place, event(agent, "start"), agent)

    said = answer["hookSpecificOutput"]
    assert said["hookEventName"] == "SessionStart"
    for words in ("prices", "Prices in cents", "the currency is the euro", "conductor-git done"):
        assert words in said["additionalContext"]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_tool_beats_the_heart_and_says_nothing(repository: Path, agent: str) -> None:
    place = tasks.spawn(repository, "prices")
    beat = repository / ".git" / "conductor" / "tasks" / "prices" / "heartbeat"
    beat.unlink(missing_ok=True)

    assert answered(place / "src", event(agent, "tool"), agent) is None

    assert beat.is_file()


def test_a_tool_costs_what_a_heartbeat_costs(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")

    modules = imported_by(place, "hook", "tool-use")

    assert modules & (LIBRARIES | SLOW) == set()
    assert {name for name in modules if name.startswith("conductor_git.bus")} == set()


@pytest.mark.parametrize("agent", AGENTS)
def test_a_stop_reminds_of_done_once_in_a_session(repository: Path, agent: str) -> None:
    place = tasks.spawn(repository, "prices")

    answer = answered(place, event(agent, "stop"), agent)

    assert answer["decision"] == "block"
    assert "conductor-git done" in answer["reason"]
    assert answered(place, event(agent, "stop"), agent) is None
    assert answered(place, event(agent, "stop", session_id="next", stop_hook_active=True), agent) is None
    assert answered(place, event(agent, "stop", session_id="next"), agent) == answer


def test_a_stop_says_nothing_where_nothing_is_left_to_do(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.commit(place, {"a": "b\n"})
    tasks.hand_in(repository, "prices")

    assert answered(place, event("claude", "stop")) is None
    assert answered(repository, event("claude", "stop")) is None
    assert answered(repository, event("claude", "start")) is None


def test_a_reviewer_is_reminded_of_its_verdict(repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), {"a": "b\n"})
    tasks.hand_in(repository, "prices")
    assert kit.conductor("spawn", "look", "--review", "prices", "--no-start", cwd=repository).code == 0
    place = Path(tasks.record(repository, "look").worktree)

    assert "conductor-git approve prices" in answered(place, event("claude", "stop"))["reason"]


def test_an_agent_of_ours_hears_at_its_start_nothing_that_its_prompt_says(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    variables = {"CONDUCTOR_RUN_ID": "20261120-101500123456-4242-1"}

    assert answered(place, event("claude", "start"), **variables) is None
    assert answered(place, event("claude", "start", source="compact"), **variables) is not None


def test_a_long_prompt_leaves_the_context_short_enough_to_be_taken_whole(repository: Path) -> None:
    place = tasks.spawn(repository, "prices", prompt="long " * 100_000)

    said = answered(place, event("claude", "start"))["hookSpecificOutput"]["additionalContext"]

    assert len(said) < MOST_TAKEN
    assert "conductor-git done" in said


NO_EVENTS = ("", "no json", "[1]", '{"stop_hook_active": "false"}', "[" * 10_000, "x" * 3_000_000)


def test_an_event_that_is_none_stops_no_agent(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")

    for name in ("stop", "tool-use", "session-start"):
        for text in NO_EVENTS:
            done = kit.conductor("hook", name, cwd=place, input=text)
            assert (done.code, done.err) == (0, ""), (name, text[:20], done)
            assert "decision" not in done.out


def test_trouble_is_told_and_blocks_nothing(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    assert kit.conductor("fail", "prices", cwd=repository).code == 0
    assert kit.conductor("retry", "prices", cwd=repository).code == 0
    old = {"CONDUCTOR_TASK_ID": "prices", "CONDUCTOR_GENERATION": "1"}

    done = kit.conductor("hook", "tool-use", cwd=place, env=old, input="{}")

    assert (done.code, done.out) == (0, "")
    assert "was retried since" in done.err


def test_trouble_that_is_no_refusal_blocks_nothing_either(repository: Path, tmp_path: Path) -> None:
    place = tasks.spawn(repository, "prices")
    beat = repository / ".git" / "conductor" / "tasks" / "prices" / "heartbeat"
    beat.unlink(missing_ok=True)
    beat.mkdir()

    done = kit.conductor("hook", "tool-use", cwd=place, env={"TMPDIR": str(tmp_path)}, input="{}")

    assert (done.code, done.out) == (0, "")
    assert "Is a directory" in done.err


CLOSED = ("hook stop <&-", "hook session-start >&-", "hook tool-use <&- >&- 2>&-", "status >&-")


@pytest.mark.parametrize("call", CLOSED)
def test_streams_that_are_closed_are_no_trouble(repository: Path, call: str) -> None:
    place = tasks.spawn(repository, "prices")

    done = subprocess.run(["sh", "-c", f"{kit.console_script()} {call}"], cwd=place, capture_output=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_an_agent_may_leave_the_pipe_open() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"{}")
        assert list(pieces(reading, patience=0.01)) == [b"{}"]
    finally:
        os.close(reading)
        os.close(writing)
