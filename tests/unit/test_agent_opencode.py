"""OpenCode: how it is called, and what its stream says, by a stand-in that refuses what the real one refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.runner.agents.found import find
from conductor_git.runner.agents.opencode import OpenCode
from tests import kit
from tests.agents.performing import NOON, PROMPT, ask, on_path, perform


def events(**line: object) -> list[AgentEvent]:
    return list(OpenCode().events(json.dumps(line)))


def test_opencode_gets_its_prompt_on_standard_input_and_its_settings_as_arguments(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="anthropic/opus", args=("--agent", "build"), permissive=True)

    seen = perform(OpenCode(), tmp_path, asked=asked)

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert seen.arguments == [
        "run", "--format", "json", "--model", "anthropic/opus", "--dangerously-skip-permissions", "--agent", "build",
    ]  # fmt: skip


def test_opencode_works_in_the_worktree_and_does_not_update_itself(tmp_path: Path) -> None:
    """It goes where PWD says, which the supervisor inherits from whoever asked for the task."""
    asked = ask(tmp_path)

    seen = perform(OpenCode(), tmp_path, "run:git init -q", "edit:a.txt:new", "commit:Add it", asked=asked)

    assert seen.arguments == ["run", "--format", "json"]
    assert (seen.code, kit.git(asked.worktree, "log", "--format=%s")) == (0, "Add it")
    assert seen.environment["OPENCODE_DISABLE_AUTOUPDATE"] == "1"


def test_what_opencode_says_uses_costs_and_answers_is_understood(tmp_path: Path) -> None:
    steps = ("say:Looking.", "tool:Bash:make test", "edit:a.txt:x", "say:All done.", "cost:0.25", "tokens:1200:34")

    seen = perform(OpenCode(), tmp_path, *steps)

    assert seen.said(Kind.TEXT) == ["Looking.", "All done."]
    assert seen.said(Kind.TOOL) == ["bash make test", "edit a.txt"]
    assert (seen.tally.answer(), seen.tally.cost_usd) == ("All done.", 0.25)
    assert (seen.tally.tokens_in, seen.tally.tokens_out) == (1200, 34)


def test_the_steps_of_opencode_are_added_up_with_what_it_read_from_its_cache() -> None:
    tokens = {"input": 3, "output": 6, "reasoning": 10, "cache": {"read": 500, "write": 40}}

    (told,) = events(type="step_finish", part={"cost": 0.024, "tokens": tokens})

    assert (told.tokens_in, told.tokens_out, told.cost_usd, told.total) == (543, 16, 0.024, False)


@pytest.mark.parametrize(("word", "limit"), [("rate", Limit.RATE), ("quota", Limit.QUOTA), ("auth", Limit.AUTH)])
def test_opencode_tells_why_it_was_not_served(tmp_path: Path, word: str, limit: Limit) -> None:
    seen = perform(OpenCode(), tmp_path, f"limit:{word}:90")

    assert (seen.code, seen.tally.result) == (1, None)
    assert seen.tally.limit is limit
    assert seen.tally.until == (None if limit is Limit.AUTH else NOON + timedelta(seconds=90))


def test_opencode_that_is_not_let_in_says_so_by_the_name_of_its_error() -> None:
    (told,) = events(type="error", error={"name": "ProviderAuthError", "data": {"message": "set one up"}})

    assert (told.kind, told.limit, told.text) == (Kind.LIMIT, Limit.AUTH, "set one up")


def test_an_error_of_opencode_that_is_no_limit_is_an_error() -> None:
    error = {"name": "APIError", "data": {"message": "the context is too long", "statusCode": 400}}

    assert events(type="error", error=error) == [AgentEvent(Kind.ERROR, "the context is too long")]
    assert events(type="error", error={"name": "MessageAbortedError"}) == [
        AgentEvent(Kind.ERROR, "MessageAbortedError")
    ]


def test_a_person_can_join_opencode_which_is_told_where_its_prompt_is(tmp_path: Path) -> None:
    asked = ask(tmp_path, attended=True)

    launch = OpenCode().launch(asked)

    assert (launch.stdin, launch.command[:2]) == (None, ("opencode", "--prompt"))
    assert str(asked.prompt) in launch.command[2]


def test_the_version_of_opencode_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", on_path())

    found = find(OpenCode(), {"PATH": on_path(), "PWD": "/"})

    assert (found.version, found.problem, found.has_key) == ("1.16.2", "", False)


@pytest.mark.parametrize(
    "line", ["", "words", "[]", "7", '{"type": 7}', '{"type": "step_start", "part": 3}', '{"type"']
)
def test_what_is_not_known_of_opencode_is_kept(line: str) -> None:
    assert list(OpenCode().events(line)) == [AgentEvent(Kind.OTHER, line)]


def test_garbage_does_not_end_the_reading_of_opencode(tmp_path: Path) -> None:
    seen = perform(OpenCode(), tmp_path, "garbage", "say:Still here.")

    assert (seen.code, seen.said(Kind.TEXT)[-1]) == (0, "Still here.")
