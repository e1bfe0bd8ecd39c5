"""Aider: how it is called, and what its words say, by a stand-in that refuses what the real one refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from conductor_git.runner.agents.aider import Aider
from conductor_git.runner.agents.base import AgentEvent, Kind, Limit
from conductor_git.runner.agents.found import find
from tests import kit
from tests.agents.performing import NOON, PROMPT, ask, on_path, perform
from tests.kit import tasks


def events(line: str) -> list[AgentEvent]:
    return list(Aider().events(line))


def test_aider_gets_its_prompt_as_a_file_and_its_settings_as_arguments(tmp_path: Path) -> None:
    asked = ask(tmp_path, model="sonnet", args=("--test-cmd", "make test"))

    seen = perform(Aider(), tmp_path, asked=asked)

    assert (seen.code, seen.prompt) == (0, PROMPT)
    assert seen.arguments == [
        *("--message-file", str(asked.prompt), "--yes-always", "--no-pretty", "--no-stream", "--no-fancy-input"),
        *("--no-check-update", "--no-show-release-notes", "--no-show-model-warnings", "--no-analytics"),
        *("--no-gitignore", "--no-detect-urls", "--no-suggest-shell-commands"),
        *(
            "--chat-history-file",
            str(tmp_path / "aider.chat.md"),
            "--input-history-file",
            str(tmp_path / "aider.input"),
        ),
        *("--auto-test", "--test-cmd", "conductor-git done", "--model", "sonnet", "--test-cmd", "make test"),
    ]


def test_aider_commits_and_hands_in_what_it_changed(repository: Path) -> None:
    """It runs no command by itself, so handing in is the test that it runs after a change; its cache is no obstacle."""
    worktree = tasks.spawn(repository, "prices")
    asked = replace(ask(repository.parent), worktree=worktree)

    seen = perform(Aider(), repository.parent, "edit:src/pears.py:PEAR = 5", asked=asked)

    assert seen.code == 0, seen.said(Kind.TEXT)
    assert tasks.record(repository, "prices").state == "IN_REVIEW", seen.said(Kind.TEXT)
    assert kit.git(worktree, "show", "--format=%s", "--name-only", "HEAD").split("\n") == [
        *("feat: what was asked", "", "src/pears.py"),
    ]
    assert (worktree / ".aider.tags.cache.v4").is_dir()


def test_what_hinders_the_handing_in_is_told_to_aider(repository: Path) -> None:
    worktree = tasks.spawn(repository, "prices")
    asked = replace(ask(repository.parent), worktree=worktree)

    seen = perform(Aider(), repository.parent, "edit:src/pears.py:PEAR = 5", "run:touch stray", asked=asked)

    assert tasks.record(repository, "prices").state == "WORKING"
    assert "stray" in "".join(seen.said(Kind.TEXT))


def test_what_aider_says_costs_and_changes_is_understood(tmp_path: Path) -> None:
    steps = ("say:Looking.", "edit:a.txt:x", "say:All done.", "cost:0.25", "tokens:1200:34")
    asked = ask(tmp_path, args=("--no-auto-test", "--no-auto-commits"))

    seen = perform(Aider(), tmp_path, *steps, asked=asked)

    assert seen.said(Kind.TEXT) == ["Looking.\n", "All done.\n"]
    assert seen.said(Kind.TOOL) == ["Applied edit to a.txt"]
    assert (seen.tally.answer(), seen.tally.cost_usd) == ("Looking.\n\n\nAll done.", 0.25)
    assert (seen.tally.tokens_in, seen.tally.tokens_out) == (1200, 34)


@pytest.mark.parametrize(
    ("line", "figures"),
    [
        ("Tokens: 4.2k sent, 350 received. Cost: $0.02 message, $0.05 session.", (4200, 350, 0.02)),
        ("Tokens: 12k sent, 3.1k cache write, 1.1k cache hit, 2.0k received.", (12000, 2000, None)),
        ("Tokens: 950 sent, 8 received. Cost: $0.00042 message, $0.0012 session.", (950, 8, 0.00042)),
        ("Cost: $1.25 message, $3.50 session.", (None, None, 1.25)),
    ],
)
def test_what_a_message_of_aider_cost_is_read_from_its_words(
    line: str, figures: tuple[int | None, int | None, float | None]
) -> None:
    (told,) = events(line)

    assert (told.kind, told.total) == (Kind.USAGE, False)
    assert (told.tokens_in, told.tokens_out, told.cost_usd) == figures


def test_a_long_line_of_aider_is_not_broken_where_a_terminal_would_end(tmp_path: Path) -> None:
    seen = perform(Aider(), tmp_path, "cost:0.25", "tokens:1200:3400", f"say:{'word ' * 60}")

    assert len(seen.said(Kind.TEXT)[0]) == 300
    assert seen.environment["COLUMNS"] == "1000"


@pytest.mark.parametrize(("word", "limit"), [("rate", Limit.RATE), ("quota", Limit.QUOTA), ("auth", Limit.AUTH)])
def test_aider_tells_why_it_was_not_served_though_it_ends_well(tmp_path: Path, word: str, limit: Limit) -> None:
    seen = perform(Aider(), tmp_path, f"limit:{word}:90")

    assert (seen.code, seen.tally.result) == (0, None)
    assert (seen.tally.limit, seen.tally.until) == (limit, NOON + timedelta(seconds=90) if word == "quota" else None)


def test_an_error_of_aider_that_is_no_limit_is_an_error() -> None:
    line = "litellm.BadRequestError: OpenAIException - the model does not exist"

    assert events(line) == [AgentEvent(Kind.ERROR, line)]


def test_a_model_that_talks_of_limits_is_not_limited() -> None:
    (told,) = events("Clients get litellm.RateLimitError: 429 Too Many Requests when they ask too often.")

    assert (told.kind, told.limit) == (Kind.TEXT, None)


def test_a_person_can_join_aider_which_has_the_prompt_to_read(tmp_path: Path) -> None:
    asked = ask(tmp_path, attended=True)

    launch = Aider().launch(asked)

    assert launch.stdin is None
    assert launch.command[-2:] == ("--read", str(asked.prompt))
    assert "--yes-always" not in launch.command


def test_the_version_of_aider_is_found() -> None:
    found = find(Aider(), {"PATH": on_path()})

    assert (found.version, found.problem) == ("0.86.2", "")


def test_garbage_does_not_end_the_reading_of_aider(tmp_path: Path) -> None:
    seen = perform(Aider(), tmp_path, "garbage", "say:Still here.")

    assert (seen.code, seen.said(Kind.TEXT)[-1]) == (0, "Still here.\n")
