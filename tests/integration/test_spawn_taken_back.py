"""What a killed spawn left is taken back by its journal's word, which may be damaged or older than the work there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from conductor_git.layout import Layout
from conductor_git.names import TaskId
from tests import kit
from tests.kit import tasks


def _interrupted(repository: Path, **facts: Any) -> None:
    """As after a kill of `spawn prices`, by what the journal says."""
    layout = Layout(repository / ".git")
    said = {
        "branch": "worker/prices",
        "new_branch": True,
        "base_commit": kit.git(repository, "rev-parse", "main"),
        "worktree": str(repository.parent / "acme.worktrees" / "prices"),
        "new_directories": [],
        **facts,
    }
    layout.journal.mkdir(parents=True, exist_ok=True)
    layout.intent(TaskId("prices")).write_text(json.dumps({"verb": "spawn", "facts": said}))


def _refs(repository: Path) -> str:
    return kit.git(repository, "for-each-ref") + kit.git(repository, "worktree", "list")


@pytest.mark.parametrize(
    "wrong",
    [
        {"worktree": "OTHERS"},
        {"worktree": "REPOSITORY"},
        {"branch": "main", "worktree": "NOWHERE"},
        {"branch": "only", "worktree": "NOWHERE"},
        {"branch": ["main"]},
        {"worktree": None},
        {"new_directories": ["OTHERS"]},
    ],
)
def test_an_intent_that_names_what_no_spawn_made_removes_nothing(repository: Path, wrong: dict[str, Any]) -> None:
    others = repository.parent / "others"
    tasks.write(others, {"gold.txt": "gold\n"})
    kit.git(repository, "branch", "only", kit.git(repository, "commit-tree", "main^{tree}", "-m", "Only here"))
    before = _refs(repository)
    places = {"OTHERS": str(others), "REPOSITORY": str(repository), "NOWHERE": str(others / "none")}
    facts = {key: places.get(value, value) if isinstance(value, str) else value for key, value in wrong.items()}
    base = kit.git(repository, "rev-parse", "only" if wrong.get("branch") == "only" else "main")

    _interrupted(repository, base_commit=base, **facts)
    done = kit.conductor("status", cwd=repository)

    assert (done.code, _refs(repository)) == (0, before)
    assert ((others / "gold.txt").is_file(), (repository / ".git").is_dir()) == (True, True)
    assert [*Layout(repository / ".git").journal.iterdir()] == []


def _reset(worktree: Path) -> None:
    tasks.commit(worktree, {"idea.txt": "idea\n"})
    kit.git(worktree, "reset", "-q", "--hard", "HEAD~1")


WORK: Final[dict[str, Callable[[Path], object]]] = {
    "a file": lambda worktree: tasks.write(worktree, {"idea.txt": "idea\n"}),
    "a commit": lambda worktree: tasks.commit(worktree, {"idea.txt": "idea\n"}),
    "a commit in the log": _reset,
    "another branch": lambda worktree: kit.git(worktree, "switch", "-q", "-c", "mine"),
}


@pytest.mark.parametrize("work", WORK)
def test_a_worktree_with_work_in_it_outlives_an_older_journal_and_becomes_a_task_again(
    repository: Path, work: str
) -> None:
    worktree = tasks.spawn(repository, "prices")
    base = kit.git(worktree, "rev-parse", "HEAD")
    WORK[work](worktree)
    before = _refs(repository), sorted(os.listdir(worktree))  # noqa: PTH208 - names

    (Layout(repository / ".git").tasks / "prices" / "run-info.yaml").unlink()
    _interrupted(repository, base_commit=base)
    done = kit.conductor("doctor", "--fix", cwd=repository)

    assert done.code == 0, done
    assert (_refs(repository), sorted(os.listdir(worktree))) == before  # noqa: PTH208
    assert tasks.record(repository, "prices").state == "WORKING"


def test_a_fresh_worktree_that_only_a_spawn_was_at_goes(repository: Path) -> None:
    before = _refs(repository)
    worktree = tasks.spawn(repository, "prices")

    layout = Layout(repository / ".git")
    (layout.tasks / "prices" / "run-info.yaml").unlink()
    half = layout.agreed_config.with_name(f".{layout.agreed_config.name}.1-1.tmp")
    half.touch()
    _interrupted(repository)
    kit.conductor("status", cwd=repository)

    assert (_refs(repository), worktree.exists(), half.exists()) == (before, False, False)
