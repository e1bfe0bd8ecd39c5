"""hooks install --agents: agents that work in workers' worktrees hear of their task, beat its heart and hand in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conductor_git import durable, integration, worktree
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.agent_hooks import placing
from conductor_git.workflow.agent_hooks.placing import Skipped
from conductor_git.workflow.agent_hooks.settings import Home
from conductor_git.workflow.looking.sift import live


@dataclass(frozen=True, slots=True)
class Found:
    """The worktree of a live task: the settings that have our hooks, and those that were left alone."""

    task_id: TaskId
    worktree: Path
    files: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()


def install(project: Project) -> tuple[Found, ...]:
    """Put the hooks into the worktree of every live task, and let every later spawn do it too.

    Nothing of it can enter a commit, and nothing outside the worktrees and the state directory changes. Running it
    again brings them up to date.
    """
    with _alone(project):
        durable.replace(project.layout.agent_hooks, b"installed\n")
        return tuple(_put_in(project, run.task_id, path, git_dir) for run, path, git_dir in _places(project))


def uninstall(project: Project) -> tuple[Found, ...]:
    """Take them out of every worktree of a live task, and let later spawns have none."""
    with _alone(project):
        durable.remove(project.layout.agent_hooks)
        return tuple(
            Found(run.task_id, path, placing.is_in(path, git_dir), placing.take_out(path, git_dir))
            for run, path, git_dir in _places(project)
        )


def status(project: Project) -> tuple[Found, ...]:
    """Which worktrees have them; reads only."""
    return tuple(Found(run.task_id, path, placing.is_in(path, git_dir)) for run, path, git_dir in _places(project))


def is_installed(layout: Layout) -> bool:
    return layout.agent_hooks.is_file()


def place(project: Project, task_id: TaskId, path: Path, git_dir: Path) -> None:
    """Put them into the worktree `path` where they are installed; costs one look where they are not."""
    if is_installed(project.layout):
        _put_in(project, task_id, path, git_dir)


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    with durable.lock(project.layout.locks / "agent-hooks", purpose="hooks --agents"):
        yield


def _places(project: Project) -> Iterator[tuple[Run, Path, Path]]:
    for run in live(project):
        path = Path(run.worktree)
        git_dir = worktree.registered_git_dir(project.layout, path)
        if git_dir is not None and path.is_dir():
            yield run, path, git_dir


def _put_in(project: Project, task_id: TaskId, path: Path, git_dir: Path) -> Found:
    homes = tuple(placing.prepare(path, git_dir))
    skipped = placing.put_in(path, git_dir, homes, _ignored(project, path, git_dir, homes))
    return Found(task_id, path, placing.is_in(path, git_dir), skipped)


def _ignored(project: Project, path: Path, git_dir: Path, homes: Sequence[Home]) -> frozenset[str]:
    """Of the settings, those that git surely keeps out of commits here: ignored by the worktree, and not tracked."""
    opened, files = integration.opened(project.layout, project.git), [home.path for home in homes]
    with integration.looking_at(opened, path, git_dir / "index") as looking:
        return frozenset(looking.run("check-ignore", *files, ok=(0, 1)).lines) if files else frozenset()
