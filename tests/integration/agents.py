"""Tasks whose agent is a shell script, launched for real, and what is on record of it."""

from __future__ import annotations

from pathlib import Path

from conductor_git.run import Attempt
from tests import kit
from tests.kit import tasks

WAIT = "exec sleep 600"


def launch(repository: Path, script: str, *options: str, cwd: Path | None = None) -> Attempt:
    """Spawn `prices` with a shell script as its agent, for one attempt; returns that as it is on record then."""
    once = {"CONDUCTOR_LIMITS_ATTEMPTS": "1"}
    done = kit.conductor("spawn", "prices", *options, "--", "sh", "-c", script, cwd=cwd or repository, env=once)
    assert done.code == 0, done
    return attempt_of(repository)


def attempt_of(repository: Path) -> Attempt:
    return tasks.record(repository, "prices").attempts[-1]


def ended(repository: Path) -> Attempt:
    """The attempt once its end is on record."""
    return kit.until(lambda: attempt if (attempt := attempt_of(repository)).ended_at else None)  # type: ignore[return-value]


def worktree(repository: Path) -> Path:
    return repository.parent / "acme.worktrees" / "prices"
