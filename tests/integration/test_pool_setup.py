"""A worktree of the pool is included and set up before there is a task, where what the setup makes can be moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import kit
from tests.integration import pooled
from tests.integration.test_pool import came_from_pool, spawned
from tests.kit import tasks

CONFIG = "pool: {size: 1}\nsetup:\n  - {name: deps, run: "
INSTALL = "'mkdir -p node_modules && cat .env >node_modules/made && env >>../seen && echo ran >>../setups'}\n"


def prepared(repository: Path, setup: str) -> Path:
    (repository / ".worktreeinclude").write_text(".env\n")
    (repository / ".env").write_text("TOKEN=1\n")
    pooled.configured(repository, f"{CONFIG}{setup}")
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    return repository


def runs(repository: Path) -> int:
    return len((repository.parent / "acme.worktrees" / "setups").read_text().splitlines())


def log_of(repository: Path, task: str) -> Path:
    return repository / f".git/conductor/tasks/{task}/setup/deps.log"


def test_the_setup_has_run_before_the_task_is_there(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(repository, INSTALL)
    monkeypatch.setenv("VIRTUAL_ENV", str(repository / ".venv"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the person's")
    entries = pooled.refilled(repository)
    assert runs(repository) == 1
    seen = (repository.parent / "acme.worktrees" / "seen").read_text()
    assert "VIRTUAL_ENV=" not in seen, "what it installs is not for the person's own environment"
    assert "ANTHROPIC_API_KEY" not in seen
    worktree = spawned(repository, "prices")

    assert came_from_pool(entries, worktree)
    assert (worktree / "node_modules/made").read_text() == "TOKEN=1\n"
    assert (worktree / ".env").read_text() == "TOKEN=1\n"
    assert kit.git(worktree, "status", "--porcelain") == ""
    pooled.refilled(repository)
    assert runs(repository) == 2, "once for each worktree of the pool, and in no task"


def test_an_included_file_that_has_changed_comes_as_it_is_now(repository: Path) -> None:
    prepared(repository, INSTALL)
    pooled.refilled(repository)
    (repository / ".env").write_text("TOKEN=2, longer\n")

    assert (spawned(repository, "prices") / ".env").read_text() == "TOKEN=2, longer\n"


def test_what_the_setup_made_of_an_included_file_stays_until_the_original_changes(repository: Path) -> None:
    (repository / "run").symlink_to(".env")
    with (repository / ".gitignore").open("a") as file:
        file.write("/run\n")
    prepared(repository, "'echo DB=mine >>.env && echo ran >>../setups'}\n")
    (repository / ".worktreeinclude").write_text(".env\n/run\n")
    pooled.refilled(repository)

    assert (spawned(repository, "prices") / ".env").read_text() == "TOKEN=1\nDB=mine\n"
    assert not log_of(repository, "prices").exists(), "its setup has run in the pool"

    pooled.refilled(repository)
    (repository / ".env").write_text("TOKEN=2, longer\n")
    assert (spawned(repository, "pears") / ".env").read_text() == "TOKEN=2, longer\nDB=mine\n"
    assert log_of(repository, "pears").exists(), "the setup had not seen the file as it is now"


def test_on_another_commit_the_setup_runs_again(repository: Path) -> None:
    prepared(repository, INSTALL)
    entries = pooled.refilled(repository)
    tasks.commit(repository, {"later.txt": "later\n"})

    worktree = spawned(repository, "prices")

    assert came_from_pool(entries, worktree)
    assert log_of(repository, "prices").exists()


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        ("'mkdir -p node_modules && pwd >node_modules/made'}\n", "it writes down where it runs, in node_modules/made"),
        ("'touch junk && test -n \"$CONDUCTOR_TASK_ID\"'}\n", "the step deps failed there"),
    ],
)
def test_a_setup_that_writes_its_place_down_or_fails_there_runs_in_the_worktree_of_the_task(
    repository: Path, setup: str, why: str
) -> None:
    prepared(repository, setup)
    entries = pooled.refilled(repository)
    assert not (Path(entries[0].path) / "node_modules").exists()
    assert kit.git(Path(entries[0].path), "--no-optional-locks", "status", "--porcelain") == ""

    done = kit.conductor("spawn", "prices", cwd=repository)

    worktree = repository.parent / "acme.worktrees" / "prices"
    assert done.code == 0, done
    assert f"○ the pool cannot run the setup beforehand: {why}\n" in done.err
    assert came_from_pool(entries, worktree)
    assert log_of(repository, "prices").exists()
    if "pwd" in setup:
        assert (worktree / "node_modules/made").read_text() == f"{worktree}\n"
