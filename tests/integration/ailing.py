"""A project in a bad way: what `doctor` says of it and does about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor_git.layout import Layout
from tests import kit
from tests.kit import tasks


def doctor(place: Path, *options: str) -> Any:
    done = kit.conductor("doctor", "--json", *options, cwd=place)
    assert done.code in (0, 21), done
    document = done.document
    assert document["healthy"] is (done.code == 0)
    return document


def codes(document: Any) -> list[str]:
    return [one["code"] for one in document["findings"]]


def mended(place: Path, *expected: str) -> Any:
    """Assert that exactly `expected` is found, that `--fix` mends it, and that nothing is found after; what it did."""
    found = doctor(place)
    assert sorted(codes(found)) == sorted(expected), found
    assert all(one["message"] and one["stake"] and one["command"] for one in found["findings"])
    done = doctor(place, "--fix")
    assert done["findings"] == [], done
    assert [one["refused"] for one in done["mended"] if one["refused"]] == []
    assert doctor(place)["findings"] == []
    assert doctor(place, "--fix")["mended"] == []
    return done


def record_of(repository: Path, task_id: str = "prices") -> Path:
    return Layout(repository / ".git").tasks / task_id / "run-info.yaml"


def is_as_it_was(repository: Path, worktree: Path, tip: str) -> None:
    run = tasks.record(repository, "prices")
    assert (run.state, run.branch, run.worktree) == ("WORKING", "worker/prices", str(worktree))
    assert kit.git(repository, "rev-parse", "worker/prices") == tip
    assert (worktree / "idea.txt").read_text() == "idea\n"
    assert kit.conductor("ctx", "--field", "task_id", cwd=worktree).out == "prices\n"
    assert "idea.txt" in kit.git(worktree, "status", "--porcelain")
