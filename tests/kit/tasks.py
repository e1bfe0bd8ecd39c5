"""Tasks brought to where a test begins, through the workflows that the commands call; what they hold is committed by
plain git, as a worker would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conductor_git.actor import COORDINATOR, Actor
from conductor_git.names import parse_task_id
from conductor_git.project import open_project
from conductor_git.run import Run, utcnow
from conductor_git.settings import project_config
from conductor_git.workflow import finish, review
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow import start as starting
from conductor_git.workflow.spawning import order as ordering
from tests.kit.console import Completed, conductor
from tests.kit.repositories import git

Files = Mapping[str, str | bytes | None]
"""What to write, by path; None deletes."""

REVIEWER = Actor("ada")


def write(place: Path, files: Files) -> None:
    """Write `files` below `place`, the directories they need made."""
    for name, content in files.items():
        file = place / name
        if content is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else os.fsencode(content))


def commit(place: Path, files: Files, subject: str = "Work on it") -> str:
    """Write and commit `files` in the checkout `place`, and nothing else that is there; returns the commit."""
    write(place, files)
    git(place, "--literal-pathspecs", "add", "--force", "--all", "--", *files)
    git(place, "commit", "--quiet", "--allow-empty", "-m", subject)
    return git(place, "rev-parse", "HEAD")


def spawn(repository: Path, task_id: str, **order: Any) -> Path:
    """A task in state WORKING with nothing done yet; returns its worktree. `order` is as in `workflow.spawn.Order`."""
    project = open_project(repository)
    wanted = ordering.Order(parse_task_id(task_id), **order)
    plan = ordering.plan(project, wanted, project_config(project))
    run = spawning.spawn(project, plan, by=COORDINATOR, at=utcnow())
    starting.start(project, run.task_id, by=COORDINATOR, at=utcnow())
    return Path(run.worktree)


def hand_in(repository: Path, task_id: str) -> None:
    finish.finish(open_project(repository), parse_task_id(task_id), by=COORDINATOR, at=utcnow())


def approve(repository: Path, task_id: str) -> None:
    review.approve(open_project(repository), parse_task_id(task_id), by=REVIEWER, at=utcnow())


def approved(repository: Path, task_id: str, files: Files, **order: Any) -> Path:
    """A task in state APPROVED whose one commit holds `files`; returns its worktree."""
    worktree = spawn(repository, task_id, **order)
    commit(worktree, files)
    hand_in(repository, task_id)
    approve(repository, task_id)
    return worktree


def record(repository: Path, task_id: str) -> Run:
    """The run record as it is on the disk now."""
    return open_project(repository).runs.get(parse_task_id(task_id))


def told(repository: Path, kind: str, task_id: str) -> list[str]:
    """The bodies of the task's messages of `kind` on the bus, oldest first."""
    messages = open_project(repository).bus.tail(1000, types=(kind,), task_id=parse_task_id(task_id))
    return [message.body for message in messages]


def merge(repository: Path, task_id: str, *options: str, env: Mapping[str, str] | None = None) -> Completed:
    """`conductor-git merge TASK --json`, as a process of its own in `repository`."""
    return conductor("merge", task_id, "--json", *options, cwd=repository, env=env)


def landed(done: Completed, outcome: str = "LANDED") -> dict[str, Any]:
    """Assert that a `merge` succeeded with `outcome`; returns its document."""
    assert done.code == 0, done
    document: dict[str, Any] = done.document
    assert document["outcome"] == outcome
    assert document["task"]["state"] == "COMPLETED"
    return document


def refused(done: Completed, code: str, exit_code: int) -> dict[str, Any]:
    """Assert that a command refused with `code` and `exit_code` and a hint; returns its `error` document."""
    assert done.code == exit_code, done
    error: dict[str, Any] = done.document["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]
    return error
