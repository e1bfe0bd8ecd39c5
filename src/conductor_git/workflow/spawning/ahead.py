"""What a worktree of the pool gets before there is a task: included files, and a setup that works elsewhere too.

A worktree of the pool is moved before a worker sees it. Its name is drawn, so a setup that wrote the place down can be
told by the name: what it made is dropped, and that setup runs in the task's worktree, as without a pool.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from conductor_git import brought, durable, process
from conductor_git.config.model import Config
from conductor_git.environment import inherited
from conductor_git.errors import ConductorError
from conductor_git.gitcmd import Git
from conductor_git.include import include
from conductor_git.masking import secret_values
from conductor_git.project import Project
from conductor_git.runner.environment import taskless_environment
from conductor_git.runner.setup import TREE_VARIABLE, digest
from conductor_git.settings import require_trusted
from conductor_git.workflow.spawning.ground import ground_of

_CHUNK: Final = 1 << 20


def prepare(project: Project, config: Config, path: Path, git_dir: Path) -> str:
    """Bring the included files and run the setup in the pool's worktree at `path`; returns the setup's digest.

    Empty where there is none, where nobody has agreed to it, and where it failed or wrote down where it ran: then
    nothing of it is left, and it is not tried in the pool again until its text changes.
    """
    wanted = ground_of(config).include
    include(project.git, project.repository, path, git_dir, wanted)
    done = digest(config.setup)
    given_up = _given_up(project, done)
    if not config.setup or given_up.exists() or not _is_trusted(config):
        return ""
    inside = replace(project.git, cwd=path, git_dir=git_dir, work_tree=path)
    why = _failure(project, config, path) or _place_told(inside, path)
    if not why:
        brought.remember(git_dir, path, inside.run("ls-files", "-zoi", "--exclude-standard").fields)
        return done
    durable.write_through(given_up, why.encode("utf-8", "surrogateescape"))
    inside.run("reset", "--hard", "--quiet", "--no-recurse-submodules")
    inside.run("clean", "-ffdxq")
    include(project.git, project.repository, path, git_dir, wanted)
    return ""


def why_not_ahead(project: Project, config: Config) -> str:
    """Why the setup is not run in the pool, where it was tried there in vain; empty otherwise."""
    try:
        return durable.read_regular(_given_up(project, digest(config.setup)), _CHUNK).decode("utf-8", "replace")
    except OSError:
        return ""


def _given_up(project: Project, setup: str) -> Path:
    return project.layout.pool / f"setup-{setup[:16]}"


def _is_trusted(config: Config) -> bool:
    try:
        require_trusted(config)
    except ConductorError:
        return False
    return True


def _failure(project: Project, config: Config, path: Path) -> str:
    """Which step was red, empty where none was; nothing that one started goes on."""
    for step in config.setup:
        code, _ = process.run_limited(
            step.run,
            cwd=path,
            environment=taskless_environment(project, path) | {TREE_VARIABLE: str(path)},
            log=project.layout.pool / f"{step.name}.log",
            seconds=step.timeout_seconds,
            secrets=secret_values(inherited()),
        )
        if code != 0:
            return f"the step {step.name} failed there"
    return ""


def _place_told(inside: Git, path: Path) -> str:
    """Which file or link that the commit does not have holds the drawn name of the worktree at `path`."""
    drawn = os.fsencode(next(part for part in reversed(path.parts) if ".pool-" in part))
    made = inside.run("ls-files", "-z", "--others").fields
    holding = next((name for name in made if _holds(path / name, drawn)), None)
    return f"it writes down where it runs, in {holding}" if holding else ""


def _holds(file: Path, text: bytes) -> bool:
    if file.is_symlink():
        return text in os.fsencode(file.readlink())
    if not file.is_file():
        return file.is_dir()  # a repository of its own, which git does not look into
    before = b""
    with file.open("rb") as data:
        while chunk := data.read(_CHUNK):
            if text in before + chunk:
                return True
            before = chunk[-len(text) :]
    return False
