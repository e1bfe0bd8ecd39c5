"""Gemini CLI: how it is called, and what its stream says, by a stand-in that refuses what the real one refuses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from conductor_git.runner.agents.base import Kind, Limit
from conductor_git.runner.agents.gemini import Gemini
from tests import kit
from tests.agents.performing import NOON, PROMPT, ask, perform


def test_gemini_gets_its_prompt_on_standard_input_and_its_settings_as_arguments(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="pro", permissive=True)

    seen = perform(Gemini(), tmp_path, asked=asked)

    assert seen.code == 0
    assert seen.prompt.startswith(PROMPT)
    assert seen.arguments[:1] + seen.arguments[2:] == [
        "-p", "--output-format", "stream-json", "--approval-mode=yolo", "-m", "pro"
    ]  # fmt: skip
    assert seen.environment["GEMINI_CLI_TRUST_WORKSPACE"] == "true"


def test_gemini_may_commit_and_hand_in_without_permissive_flags_and_nothing_else(tmp_path: Path) -> None:
    asked = ask(tmp_path)

    seen = perform(Gemini(), tmp_path, "run:git init -q", "edit:a.txt:new", "commit:Add it", asked=asked)

    assert "--approval-mode=auto_edit" in seen.arguments
    assert "GEMINI_CLI_TRUST_WORKSPACE" not in seen.environment
    assert (seen.code, kit.git(asked.worktree, "log", "--format=%s")) == (0, "Add it")
    allowed = seen.arguments[-1].removeprefix("--allowed-tools=").split(",")
    assert "run_shell_command(conductor-git done)" in allowed
    assert not {"run_shell_command", "run_shell_command(git)", "run_shell_command(conductor-git)"} & set(allowed)


def test_what_gemini_says_in_pieces_uses_and_answers_is_understood(tmp_path: Path) -> None:
    steps = ("say:Looking.", "tool:Bash:make test", "edit:a.txt:x", "say:All done.", "tokens:1200:34")

    seen = perform(Gemini(), tmp_path, *steps)

    assert seen.said(Kind.TOOL) == ["run_shell_command make test", "replace a.txt"]
    assert seen.said(Kind.OTHER) == []
    assert seen.tally.answer() == "Looking.\n\nAll done.All done."
    assert (seen.tally.cost_usd, seen.tally.tokens_in, seen.tally.tokens_out) == (None, 1200, 34)


@pytest.mark.parametrize(("word", "limit"), [("rate", Limit.RATE), ("quota", Limit.QUOTA), ("auth", Limit.AUTH)])
def test_gemini_tells_why_it_was_not_served(tmp_path: Path, word: str, limit: Limit) -> None:
    seen = perform(Gemini(), tmp_path, f"limit:{word}:90")

    assert (seen.code, seen.tally.limit, seen.tally.result) == (1, limit, None)
    assert seen.tally.until == (None if limit is Limit.AUTH else NOON + timedelta(seconds=90))


def test_gemini_that_fails_by_itself_has_an_error_and_no_limit(tmp_path: Path) -> None:
    seen = perform(Gemini(), tmp_path, "exit:1")

    assert (seen.code, seen.tally.limit, seen.tally.error) == (1, None, "it did not work out")


def test_an_attended_gemini_is_told_where_its_prompt_is(tmp_path: Path) -> None:
    launch = Gemini().launch(ask(tmp_path, attended=True))

    assert launch.stdin is None
    assert launch.command[1] == "-i"
    assert str(tmp_path / "prompt.md") in launch.command[2]
