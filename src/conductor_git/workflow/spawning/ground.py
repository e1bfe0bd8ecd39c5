"""The ground that a worker stands on: what its worktree has beside the commit, and what of the machine is its own."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git import leases, worktree
from conductor_git.config.model import Config
from conductor_git.errors import ConductorError, UnsafePath
from conductor_git.include import Included, Wanted, include
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.readiness import expect_setup
from conductor_git.runner.setup import digest
from conductor_git.settings import project_config

_NOTHING: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Ground:
    """What the config gives a new worktree: files, setup steps by name, ports."""

    include: Wanted = _NOTHING
    setup: tuple[str, ...] = ()
    port_base: int = 0
    ports_each: int = 0
    setup_digest: str = ""
    """Two worktrees of one commit whose setups have the same one are set up alike."""


BARE: Final = Ground()
"""Nothing but the commit."""


def ground_of(config: Config) -> Ground:
    """What `config` gives a new worktree."""
    wanted = Wanted(config.include, config.include_bytes, config.include_anyway, config.link)
    names = tuple(step.name for step in config.setup)
    return Ground(wanted, names, config.ports.base, config.ports.per_worker, digest(config.setup) if names else "")


def furnish(
    project: Project,
    task_id: TaskId,
    path: Path,
    ground: Ground,
    *,
    starts_agent: bool = False,
    is_set_up: bool = False,
) -> Included:
    """Give the new worktree at `path` its files, note that its setup is still to run, and lease what is the worker's.

    With `is_set_up` its setup has run already, as in a worktree of the pool; where files come that it has not seen, it
    is to run again. Safe to repeat.
    """
    git_dir = require_git_dir(project.layout, path)
    came = include(project.git, project.repository, path, git_dir, ground.include, set_up=is_set_up)
    if ground.setup and (came.files or not is_set_up):
        expect_setup(git_dir, starts_agent=starts_agent)
    lend(project.layout, task_id, path, ground)
    return came


def lend(layout: Layout, task_id: TaskId, path: Path, ground: Ground) -> None:
    """Lease the worker's ports and make its temporary directory. Safe to repeat; the same task keeps what it has."""
    leases.lease(layout, task_id, path, base=ground.port_base, each=ground.ports_each)
    leases.temporary(layout, task_id)


def lend_as_configured(project: Project, task_id: TaskId, path: Path) -> None:
    """As `lend`, for who has not read the config; with one that cannot be read the worker goes without."""
    with suppress(ConductorError):
        lend(project.layout, task_id, path, ground_of(project_config(project)))


def require_git_dir(layout: Layout, path: Path) -> Path:
    """The git dir that is registered for the worktree at `path`."""
    git_dir = worktree.registered_git_dir(layout, path)
    if git_dir is None:
        raise UnsafePath(f"{path} is no worktree of this repository", hint="git worktree list", path=str(path))
    return git_dir
