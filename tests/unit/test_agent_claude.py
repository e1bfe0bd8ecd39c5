"""Claude Code: how it is called, and what its stream says, by a stand-in that refuses what the real one refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.runner.agents.claude import Claude
from tests import kit
from tests.agents.performing import NOON, PROMPT, ask, perform

UNATTENDED = ["-p", "--output-format", "stream-json", "--verbose"]


def events(**line: object) -> list[AgentEvent]:
    return list(Claude().events(json.dumps(line)))


def test_claude_gets_its_prompt_on_standard_input_and_its_settings_as_arguments(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="opus", args=("--max-turns", "7"), permissive=True)

    seen = perform(Claude(), tmp_path, asked=asked)

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert seen.arguments == [
        *UNATTENDED, "--dangerously-skip-permissions", "--model", "opus", "--max-turns", "7"
    ]  # fmt: skip


def test_claude_may_commit_and_hand_in_without_permissive_flags_and_nothing_else(tmp_path: Path) -> None:
    asked = ask(tmp_path)

    seen = perform(Claude(), tmp_path, "run:git init -q", "edit:a.txt:new", "commit:Add it", asked=asked)

    assert seen.arguments[4:6] == ["--permission-mode", "acceptEdits"]
    assert "skip-permissions" not in " ".join(seen.arguments)
    assert (seen.code, kit.git(asked.worktree, "log", "--format=%s")) == (0, "Add it")
    allowed = seen.arguments[6].removeprefix("--allowedTools=").split(",")
    assert "Bash(conductor-git done:*)" in allowed
    assert not {"Bash", "Bash(git:*)", "Bash(conductor-git:*)", "Bash(conductor-git spawn:*)"} & set(allowed)


def test_what_claude_says_uses_costs_and_answers_is_understood(tmp_path: Path) -> None:
    steps = ("say:Looking.", "tool:Bash:make test", "edit:a.txt:x", "say:All done.", "cost:0.25", "tokens:1200:34")

    seen = perform(Claude(), tmp_path, *steps)

    assert seen.said(Kind.TEXT) == ["Looking.", "All done."]
    assert seen.said(Kind.TOOL) == ["Bash make test", "Edit a.txt"]
    assert seen.said(Kind.OTHER) == []
    assert (seen.tally.answer(), seen.tally.cost_usd) == ("All done.", 0.25)
    assert (seen.tally.tokens_in, seen.tally.tokens_out) == (1200, 34)


def test_what_claude_read_from_its_cache_counts_as_read() -> None:
    usage = {"input_tokens": 3, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 500, "output_tokens": 6}

    told = events(type="result", subtype="success", is_error=False, result="", total_cost_usd=0.024, usage=usage)

    assert (told[0].tokens_in, told[0].tokens_out, told[0].cost_usd, told[0].total) == (543, 6, 0.024, True)


@pytest.mark.parametrize(("word", "limit"), [("rate", Limit.RATE), ("quota", Limit.QUOTA), ("auth", Limit.AUTH)])
def test_claude_tells_why_it_was_not_served(tmp_path: Path, word: str, limit: Limit) -> None:
    seen = perform(Claude(), tmp_path, f"limit:{word}:90")

    assert (seen.code, seen.tally.limit, seen.tally.result) == (1, limit, None)
    if limit is Limit.RATE:
        assert seen.tally.until == NOON + timedelta(seconds=90)
    if limit is Limit.QUOTA:
        assert seen.tally.until is not None
        assert seen.tally.until > datetime.now(UTC)


def test_a_subscription_that_still_serves_claude_is_no_limit() -> None:
    """The event comes with every answer, also while a limit is near or an overage is what is refused."""
    allowed = {"status": "allowed", "resetsAt": 1774447200, "overageStatus": "rejected", "isUsingOverage": False}
    paid_more = {"status": "rejected", "resetsAt": 1774447200, "isUsingOverage": True}

    for info in (allowed, paid_more):
        assert [event.kind for event in events(type="rate_limit_event", rate_limit_info=info)] == [Kind.OTHER]


def test_what_claude_code_says_in_its_models_place_is_an_error_and_no_text() -> None:
    said = {"model": "<synthetic>", "content": [{"type": "text", "text": "Credit balance is too low"}]}

    assert [(event.kind, event.limit) for event in events(type="assistant", message=said)] == [(Kind.LIMIT, Limit.AUTH)]


def test_claude_that_talks_about_rate_limits_has_not_met_one() -> None:
    said = {"model": "opus", "content": [{"type": "text", "text": "429 Too Many Requests: the rate limit is handled"}]}

    assert [event.kind for event in events(type="assistant", message=said)] == [Kind.TEXT]


def test_claude_that_fails_by_itself_has_an_error_and_no_answer(tmp_path: Path) -> None:
    seen = perform(Claude(), tmp_path, "say:Hm.", "cost:0.5", "exit:1")

    assert (seen.code, seen.tally.limit, seen.tally.result) == (1, None, None)
    assert (seen.tally.error, seen.tally.cost_usd) == ("error_during_execution", 0.5)


def test_an_attended_claude_is_told_where_its_prompt_is(tmp_path: Path) -> None:
    launch = Claude().launch(ask(tmp_path, attended=True, args=("--max-turns", "7")))

    assert launch.stdin is None
    assert "-p" not in launch.command
    assert str(tmp_path / "prompt.md") in launch.command[1]
    assert launch.command[-2:] == ("--max-turns", "7")
