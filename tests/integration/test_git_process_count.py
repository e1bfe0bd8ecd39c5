"""How many git processes a command starts, pinned: they are most of what it costs, and one more is seen here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.counted import git_calls

WORK = {"src/new.py": "NEW = 1\n"}


def subcommands(place: Path, *arguments: str) -> list[str]:
    """The first word of each git command that `conductor-git *arguments` runs in `place`, in order."""
    return [words.split(" ")[0] for words in git_calls(place.parent, place, *arguments)]


def test_spawn_asks_git_four_things_before_it_makes_the_worktree(repository: Path) -> None:
    asked = ["rev-parse", "for-each-ref", "rev-parse", "config"]

    assert subcommands(repository, "spawn", "prices") == [*asked, "worktree", "reset"]


def test_start_runs_no_git_in_a_worktree(repository: Path) -> None:
    place = tasks.spawn(repository, "other").parent / "prices"
    kit.conductor("spawn", "prices", cwd=repository)

    assert subcommands(place, "start") == []


def test_done_runs_eight_git_commands(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.commit(place, WORK)

    looks = ["update-index", "diff-index", "diff-index", "ls-files"]
    assert subcommands(place, "done") == ["rev-parse", "config", *looks, "rev-parse", "merge-base"]


def test_approve_runs_two_git_commands(repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), WORK)
    tasks.hand_in(repository, "prices")

    assert subcommands(repository, "approve", "prices", "--as", "ada") == ["rev-parse", "rev-parse"]


MERGE = ["rev-parse", "cat-file", "config", "merge-tree", "commit-tree", "diff-tree", "diff-tree", "worktree"]


def test_merge_runs_ten_git_commands_where_the_target_is_checked_out_nowhere(repository: Path) -> None:
    tasks.approved(repository, "prices", WORK)
    kit.git(repository, "switch", "--quiet", "--create", "elsewhere")

    assert subcommands(repository, "merge", "prices", "--no-cleanup") == [*MERGE, "update-ref", "rev-parse"]


def test_merge_runs_two_more_to_bring_a_checkout_of_the_target_forward(repository: Path) -> None:
    tasks.approved(repository, "prices", WORK)

    forward = ["diff-index", "read-tree", "update-ref"]
    assert subcommands(repository, "merge", "prices", "--no-cleanup") == [*MERGE, *forward, "rev-parse"]


@pytest.mark.parametrize("count", [1, 6])
def test_status_runs_five_git_commands_however_many_tasks_there_are(repository: Path, count: int) -> None:
    for number in range(count):
        tasks.commit(tasks.spawn(repository, f"prices-{number}"), {f"src/new{number}.py": "NEW = 1\n"})
    kit.conductor("status", cwd=repository)  # works out what collides, which is known until a branch moves

    called = subcommands(repository, "status")

    assert called == ["rev-parse", "for-each-ref", "merge-base", "rev-list", "diff-tree"]


STATUS = ["rev-parse", "for-each-ref", "merge-base", "rev-list", "diff-tree"]


def test_show_asks_no_more_than_status_and_what_is_uncommitted_where_somebody_may_hand_in(repository: Path) -> None:
    place = tasks.spawn(repository, "prices")
    tasks.commit(place, WORK)
    kit.conductor("diff", "prices", cwd=repository)  # makes the integration repository

    assert subcommands(repository, "show", "prices") == [*STATUS, "ls-files", "diff-index"]

    tasks.hand_in(repository, "prices")

    assert subcommands(repository, "show", "prices") == STATUS


def test_diff_runs_five_git_commands(repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), WORK)
    kit.conductor("diff", "prices", cwd=repository)  # makes the integration repository

    assert subcommands(repository, "diff", "prices") == ["rev-parse", "rev-parse", "merge-base", "diff-tree", "diff"]


@pytest.mark.parametrize("words", ["heartbeat", "ctx", "bus post hello", "bus read"])
def test_what_an_agent_runs_at_every_step_runs_no_git(repository: Path, words: str) -> None:
    place = tasks.spawn(repository, "prices")

    assert subcommands(place, *words.split(" ")) == []
