"""Tasks that were spawned by the workers of other tasks."""

from __future__ import annotations

from pathlib import Path

from conductor_git.names import TaskId
from tests import kit
from tests.kit import tasks


def child(repository: Path, parent: str, task_id: str) -> Path:
    """A sub-task of `parent` in state WORKING; returns its worktree."""
    return tasks.spawn(repository, task_id, parent_task_id=TaskId(parent))


def handed_in(repository: Path, worktree: Path) -> str:
    """What the worker in `worktree` was to do is in review; returns the commit."""
    commit = tasks.commit(worktree, {f"src/{worktree.name}.py": "1\n"})
    tasks.hand_in(repository, worktree.name)
    return commit


def by_hand(place: Path, task_id: str, *options: str, env: dict[str, str] | None = None) -> kit.Completed:
    """`conductor-git spawn` as a process of its own in `place`."""
    return kit.conductor("spawn", task_id, "--json", *options, cwd=place, env=env)


def limit(repository: Path, **limits: int) -> None:
    """The project's config bounds the sub-tasks of a worker by `children` or `depth`."""
    said = ", ".join(f"{key}: {value}" for key, value in limits.items())
    tasks.commit(repository, {".conductor.yaml": f"version: 1\nlimits: {{{said}}}\n"}, "Bound the workers")
