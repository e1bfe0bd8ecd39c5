"""The hint of a refusal is a command, and runs as it stands where the refused command was typed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import kit
from tests.integration import situations as at
from tests.kit import tasks


@pytest.fixture
def spaced(tmp_path: Path) -> Path:
    """A repository whose path has a space and a quotation mark in it."""
    return kit.make_repository(tmp_path / "it's mine" / "acme")


def merging(repository: Path) -> None:
    at.in_the_middle_of_the_merge(repository)


def detached(repository: Path) -> None:
    kit.git(repository, "branch", "--move", "main", "it's-ours")
    kit.git(repository, "switch", "--quiet", "--detach")


def unborn(repository: Path) -> None:
    kit.git(repository, "switch", "--quiet", "--orphan", "new")
    kit.git(repository, "update-ref", "-d", "refs/heads/main")


def with_its_branch_elsewhere(repository: Path) -> None:
    at.with_a_commit(repository)
    at.run(repository, "cancel", "prices")
    kit.git(at.place(repository), "switch", "--quiet", "--detach")
    elsewhere = repository.parent / "else where"
    kit.git(repository, "worktree", "add", "--quiet", str(elsewhere), "worker/prices")


def with_its_branch_there(repository: Path) -> None:
    kit.git(repository, "branch", "worker/prices")


def nothing(repository: Path) -> None:
    assert repository.is_dir()


REFUSED: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "DIRTY_WORKTREE": (at.with_uncommitted_work, ("done", "prices")),
    "NOTHING_TO_REVIEW": (at.begun, ("done", "prices")),
    "WORKTREE_BUSY, a merge": (merging, ("done", "prices")),
    "WORKTREE_BUSY, HEAD elsewhere": (at.with_its_head_elsewhere, ("done", "prices")),
    "WORKTREE_BUSY, its branch elsewhere": (with_its_branch_elsewhere, ("retry", "prices", "--reset")),
    "NOT_FOUND, its worktree": (at.without_its_worktree, ("done", "prices")),
    "NOT_FOUND, its branch": (at.without_its_branch, ("done", "prices")),
    "NOT_FOUND, both": (at.cancelled_and_gone, ("retry", "prices")),
    "NOT_FOUND, the task": (nothing, ("show", "prices")),
    "NOT_FOUND, an attempt": (at.begun, ("log", "prices")),
    "TASK_EXISTS": (at.begun, ("spawn", "prices")),
    "BRANCH_EXISTS": (with_its_branch_there, ("spawn", "prices")),
    "NOT_FOUND, a branch to go on with": (nothing, ("spawn", "prices", "--existing")),
    "BASE_NOT_FOUND": (nothing, ("spawn", "prices", "--target", "nowhere")),
    "BAD_INPUT, no target": (detached, ("spawn", "prices")),
    "UNBORN_REPOSITORY": (unborn, ("spawn", "prices")),
    "SUPERSEDED": (at.in_review_and_moved, ("approve", "prices")),
    "BLOCKED": (at.blocked, ("merge", "prices")),
    "NEEDS_UNMET": (at.approved_and_in_need, ("merge", "prices")),
    "ILLEGAL_TRANSITION, in review": (at.in_review, ("merge", "prices")),
    "ILLEGAL_TRANSITION, approved": (at.approved, ("start", "prices")),
    "ILLEGAL_TRANSITION, landed": (at.landed, ("cancel", "prices")),
    "ILLEGAL_TRANSITION, assigned": (at.not_started, ("merge", "prices")),
    "BASE_NOT_FOUND, at the landing": (at.without_its_target, ("merge", "prices")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_hint_of_a_refusal_runs_as_it_stands(spaced: Path, name: str) -> None:
    make, words = REFUSED[name]
    make(spaced)

    refused = kit.conductor(*words, "--json", cwd=spaced)

    assert refused.code != 0, refused
    error = refused.document["error"]
    assert error["code"] == name.partition(",")[0]
    done = subprocess.run(["bash", "-c", error["hint"]], cwd=spaced, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (error, done)


def test_the_hint_on_a_conflict_begins_to_settle_it(spaced: Path) -> None:
    tasks.approved(spaced, "prices", {"src/prices.py": at.DEAR})
    tasks.commit(spaced, {"src/prices.py": at.DEARER})
    error = tasks.refused(tasks.merge(spaced, "prices"), "CONFLICT", 13)

    done = subprocess.run(["bash", "-c", error["hint"]], cwd=spaced, capture_output=True, text=True, check=False)

    assert "CONFLICT (content): Merge conflict in src/prices.py" in done.stdout
