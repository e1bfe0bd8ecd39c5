"""Workers who did something in a shell, and what `conflicts` says of them, beside what plain git says."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

from conductor_git.project import open_project
from tests import kit
from tests.kit import tasks

Pairs = dict[tuple[str, str], list[str]]


def shell(place: Path, script: str) -> None:
    """Run `script` in `place`; a command of it that fails fails the test."""
    done = subprocess.run(["sh", "-ec", script], cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"


def committed(place: Path, script: str) -> None:
    shell(place, f"{script}\ngit add --all\ngit commit --quiet --allow-empty -m 'Work on it'")


def worker(repository: Path, task_id: str, script: str = "", **order: Any) -> Path:
    """A live worker that committed what `script` does; returns its worktree."""
    place = tasks.spawn(repository, task_id, **order)
    if script:
        committed(place, script)
    return place


def foresee(repository: Path) -> dict[str, Any]:
    done = kit.conductor("conflicts", "--json", cwd=repository)
    assert done.code == 0, done
    document: dict[str, Any] = done.document
    return document


def pairs(document: dict[str, Any]) -> Pairs:
    return {(met["tasks"][0], met["tasks"][1]): met["files"] for met in document["collisions"]}


def targets(document: dict[str, Any]) -> dict[str, list[str]]:
    return {met["task_id"]: met["files"] for met in document["targets"]}


def notes(document: dict[str, Any]) -> dict[str, str]:
    return {note["task_id"]: note["note"] for note in document["notes"]}


def issues(repository: Path) -> list[str]:
    """The bodies of all ISSUE messages on the bus, oldest first."""
    return [message.body for message in open_project(repository).bus.tail(1000, types=("ISSUE",))]


def brute_force(repository: Path, heads: dict[str, str]) -> Pairs:
    """The pairs of `heads` (task → commit) that `git merge-tree` finds in conflict, one process each."""
    found = {}
    for (one, first), (other, second) in combinations(sorted(heads.items()), 2):
        # In the order in which they are merged: the name that git gives a file in a directory's way depends on it.
        ours, theirs = sorted((first, second))
        how = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages")
        done = subprocess.run(["git", *how, ours, theirs], cwd=repository, capture_output=True, check=False)
        assert done.returncode in (0, 1), done
        files = os.fsdecode(done.stdout).split("\0")[1:-1]
        if done.returncode:
            found[one, other] = sorted({re.sub(r"~[0-9a-f]{40}(_\d+)?$", "", file) for file in files})
    return found
