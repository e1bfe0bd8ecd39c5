"""Codex: how it is called, and what its stream says, by a stand-in that refuses what the real one refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.runner.agents.codex import Codex
from conductor_git.runner.agents.tally import Tally
from tests import kit
from tests.agents.performing import NOON, PROMPT, ask, perform


def events(**line: object) -> list[AgentEvent]:
    return list(Codex().events(json.dumps(line)))


def test_codex_gets_its_prompt_on_standard_input_and_its_settings_as_arguments(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="gpt-5", args=("-c", "model_reasoning_effort='high'"), permissive=True)

    seen = perform(Codex(), tmp_path, asked=asked)

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert seen.arguments == [
        "exec", "--json", "--dangerously-bypass-approvals-and-sandbox", "-m", "gpt-5",
        "-c", "model_reasoning_effort='high'", "-",
    ]  # fmt: skip


def test_codex_may_commit_inside_its_sandbox_where_git_has_its_directories_named(tmp_path: Path) -> None:
    asked = ask(tmp_path)
    git_dir = asked.worktree / ".git"
    steps = ("run:git init -q", "edit:a.txt:new", "commit:Add it")

    refused = perform(Codex(), tmp_path, *steps, asked=asked)
    (tmp_path / "stdout.log").unlink()
    seen = perform(Codex(), tmp_path, *steps, asked=ask(tmp_path, writable=(git_dir,)))

    assert (refused.code, "writable_roots" in refused.errors) == (1, True)
    assert seen.arguments[2:4] == ["--sandbox", "workspace-write"]
    assert (seen.code, kit.git(asked.worktree, "log", "--format=%s")) == (0, "Add it")


def test_what_codex_says_uses_and_answers_is_understood(tmp_path: Path) -> None:
    steps = ("say:Looking.", "tool:Bash:make test", "edit:a.txt:x", "say:All done.", "tokens:1200:34")

    seen = perform(Codex(), tmp_path, *steps)

    assert seen.said(Kind.TEXT) == ["Looking.", "All done.", "All done."]
    assert seen.said(Kind.TOOL) == ["shell make test", f"edit {tmp_path / 'worktree' / 'a.txt'}"]
    assert seen.said(Kind.OTHER) == []
    assert (seen.tally.answer(), seen.tally.cost_usd) == ("All done.", None)
    assert (seen.tally.tokens_in, seen.tally.tokens_out) == (1200, 34)


@pytest.mark.parametrize(("word", "limit"), [("rate", Limit.RATE), ("quota", Limit.QUOTA), ("auth", Limit.AUTH)])
def test_codex_tells_why_it_was_not_served(tmp_path: Path, word: str, limit: Limit) -> None:
    seen = perform(Codex(), tmp_path, f"limit:{word}:90")

    assert (seen.code, seen.tally.limit, seen.tally.result) == (1, limit, None)
    assert seen.tally.until == (None if limit is Limit.AUTH else NOON + timedelta(seconds=90))


def test_codex_that_fails_by_itself_has_an_error_and_no_answer(tmp_path: Path) -> None:
    seen = perform(Codex(), tmp_path, "exit:1")

    assert (seen.code, seen.tally.limit, seen.tally.result) == (1, None, None)
    assert seen.tally.error == "stream disconnected before completion"


def test_an_error_that_codex_got_over_is_none_of_its_end() -> None:
    tally = Tally()
    served = {"type": "agent_message", "text": "Fine."}

    for event in events(type="error", message="429 Too Many Requests, try again in 5s"):
        tally.add(event, NOON)
    assert (tally.limit, tally.until) == (Limit.RATE, NOON + timedelta(seconds=5))
    for event in events(type="item.completed", item=served):
        tally.add(event, NOON)

    assert (tally.limit, tally.until, tally.answer()) == (None, None, "Fine.")


def test_an_attended_codex_is_told_where_its_prompt_is(tmp_path: Path) -> None:
    launch = Codex().launch(ask(tmp_path, attended=True))

    assert launch.stdin is None
    assert "exec" not in launch.command
    assert str(tmp_path / "prompt.md") in launch.command[1]
