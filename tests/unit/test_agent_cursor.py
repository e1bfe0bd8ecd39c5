"""Cursor's agent: how it is called, and what its stream says, by a stand-in that refuses what the real one refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from conductor_git.runner.agents import limits
from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.runner.agents.cursor import Cursor
from conductor_git.runner.agents.found import find
from tests import kit
from tests.agents.performing import NOON, PROMPT, ask, on_path, perform

UNATTENDED = ["-p", "--output-format", "stream-json", "--trust"]


def events(**line: object) -> list[AgentEvent]:
    return list(Cursor().events(json.dumps(line)))


def test_cursor_gets_its_prompt_on_standard_input_and_its_settings_as_arguments(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="gpt-5", args=("--mode", "ask"), permissive=True)

    seen = perform(Cursor(), tmp_path, asked=asked)

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert seen.arguments == [*UNATTENDED, "--model", "gpt-5", "--force", "--mode", "ask"]


def test_cursor_trusts_a_new_worktree_and_is_permitted_nothing_else_by_that(tmp_path: Path) -> None:
    asked = ask(tmp_path)

    seen = perform(Cursor(), tmp_path, "run:git init -q", "edit:a.txt:new", "commit:Add it", asked=asked)

    assert seen.arguments == UNATTENDED
    assert (seen.code, kit.git(asked.worktree, "log", "--format=%s")) == (0, "Add it")


def test_what_cursor_says_uses_and_answers_is_understood(tmp_path: Path) -> None:
    steps = ("say:Looking.", "tool:Bash:make test", "edit:a.txt:x", "say:All done.", "tokens:1200:34")

    seen = perform(Cursor(), tmp_path, *steps)

    assert seen.said(Kind.TEXT) == ["Looking.", "All done."]
    assert seen.said(Kind.TOOL) == ["shell make test", "edit a.txt"]
    assert (seen.tally.answer(), seen.tally.cost_usd) == ("All done.", None)
    assert (seen.tally.tokens_in, seen.tally.tokens_out) == (1200, 34)


def test_a_tool_of_cursor_that_has_a_name_of_its_own_is_told_by_it() -> None:
    call = {"function": {"name": "todo_write", "arguments": '{"merge": true}'}}

    assert events(type="tool_call", subtype="started", tool_call=call) == [
        AgentEvent(Kind.TOOL, 'todo_write {"merge": true}')
    ]


@pytest.mark.parametrize(("word", "limit"), [("rate", Limit.RATE), ("quota", Limit.QUOTA), ("auth", Limit.AUTH)])
def test_cursor_tells_on_standard_error_why_it_was_not_served(tmp_path: Path, word: str, limit: Limit) -> None:
    seen = perform(Cursor(), tmp_path, f"limit:{word}:90")

    assert (seen.code, seen.tally.limit, seen.tally.result) == (1, None, None)
    until = NOON + timedelta(seconds=90) if limit is Limit.QUOTA else None
    assert limits.told(seen.errors, NOON) == (limit, until)


def test_a_result_of_cursor_that_is_an_error_is_one() -> None:
    assert events(type="result", is_error=True, result="no such model") == [AgentEvent(Kind.ERROR, "no such model")]
    (told,) = events(type="result", is_error=True, result="429 Too Many Requests")
    assert (told.kind, told.limit) == (Kind.LIMIT, Limit.RATE)


def test_a_person_can_join_cursor_which_is_told_where_its_prompt_is(tmp_path: Path) -> None:
    asked = ask(tmp_path, attended=True, model="gpt-5")

    launch = Cursor().launch(asked)

    assert (launch.stdin, launch.command[:3]) == (None, ("cursor-agent", "--model", "gpt-5"))
    assert str(asked.prompt) in launch.command[-1]


def test_the_version_of_cursor_is_a_date() -> None:
    found = find(Cursor(), {"PATH": on_path(), "CURSOR_API_KEY": "k"})

    assert (found.version, found.problem, found.has_key) == ("2026.09.18", "", True)


@pytest.mark.parametrize(
    "line", ["", "S: words", "[]", '{"type": 7}', '{"type": "system"}', '{"type": "thinking"}', '{"']
)
def test_what_is_not_known_of_cursor_is_kept(line: str) -> None:
    assert list(Cursor().events(line)) == [AgentEvent(Kind.OTHER, line)]


@pytest.mark.parametrize("call", [None, 5, [], {}, {"readToolCall": 7}, {"function": {"name": 3}}])
def test_an_odd_tool_of_cursor_is_a_tool(call: object) -> None:
    (told,) = events(type="tool_call", subtype="started", tool_call=call)

    assert told.kind is Kind.TOOL


def test_garbage_does_not_end_the_reading_of_cursor(tmp_path: Path) -> None:
    seen = perform(Cursor(), tmp_path, "garbage", "say:Still here.")

    assert (seen.code, seen.said(Kind.TEXT)[-1]) == (0, "Still here.")
