"""What commands cost, pinned: one git process or flush more is seen here before anybody feels it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.counted import flushes, git_calls

WORK = {"src/new.py": "NEW = 1\n"}


def calls(repository: Path, *arguments: str, cwd: Path | None = None) -> list[str]:
    """The first word of each git command that `conductor-git *arguments` runs."""
    listed = git_calls(repository.parent, cwd or repository, *arguments)
    return [words.split(" ")[0] for words in listed]


def test_a_spawn_runs_six_git_commands(repository: Path) -> None:
    assert calls(repository, "spawn", "prices") == [
        "rev-parse",
        "for-each-ref",
        "rev-parse",
        "config",
        "worktree",
        "reset",
    ]
