"""A fenced worker on a real repository, and hooks that its project had before."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git import fence
from conductor_git.names import RunId
from conductor_git.project import open_project
from conductor_git.runner.environment import agent_environment
from conductor_git.workflow import hooks
from tests import kit
from tests.kit import tasks

MINE: Final = "worker/fix-login"


@dataclass(frozen=True, slots=True)
class Done:
    """How a git command of the worker ended, and what it said on stderr."""

    code: int
    err: str

    @property
    def refusal(self) -> str:
        """The one line of ours; an assertion where it is not exactly one."""
        lines = [line for line in self.err.splitlines() if line.startswith("conductor-git: ")]
        assert len(lines) == 1, self.err
        return lines[0]


@dataclass(frozen=True, slots=True)
class Worker:
    """A fenced worker beside another worker: two worktrees of the repository `main_checkout`."""

    main_checkout: Path
    worktree: Path
    variables: dict[str, str]

    def git(self, *arguments: str, at: Path | None = None, **more: str) -> Done:
        environment = os.environ | self.variables | more
        done = subprocess.run(
            ["git", *arguments], cwd=at or self.worktree, env=environment, capture_output=True, text=True, check=False
        )
        return Done(done.returncode, done.stderr)

    def commit(self, name: str, *, text: str = "x\n") -> Done:
        (self.worktree / name).write_text(text)
        assert self.git("add", "--all").code == 0
        return self.git("commit", "--quiet", "-m", f"Add {name}")

    def refs(self) -> str:
        return kit.git(self.main_checkout, "for-each-ref", "--format=%(refname) %(objectname)")

    def branch(self) -> str:
        return kit.git(self.worktree, "symbolic-ref", "HEAD")

    @property
    def origin(self) -> Path:
        return self.main_checkout.parent / "origin.git"

    def everything(self) -> tuple[str, str, str]:
        """What a refusal must leave as it was: all refs here and of `origin`, and where HEAD is."""
        theirs = kit.git(self.origin, "for-each-ref", "--format=%(refname) %(objectname)")
        return self.refs(), theirs, self.branch()


def spawned(repository: Path) -> Worker:
    """A worker with the environment of an agent that conductor-git started; the repository has a remote `origin`."""
    project, worktree = open_project(repository), _tasks(repository)
    variables = agent_environment(
        project, tasks.record(repository, "fix-login"), RunId("20260105-090000000000-1-1"), None
    )
    return Worker(repository, worktree, {name: value for name, value in variables.items() if name != "HOME"})


def by_hand(repository: Path) -> Worker:
    """A worker's worktree in which somebody works with nothing in the environment, after `hooks install`."""
    worktree = _tasks(repository)
    hooks.install(open_project(repository))
    return Worker(repository, worktree, {})


def _tasks(repository: Path) -> Path:
    origin = repository.parent / "origin.git"
    kit.git(repository, "clone", "--quiet", "--bare", ".", str(origin))
    kit.git(repository, "remote", "add", "origin", str(origin))
    kit.git(repository, "fetch", "--quiet", "origin")
    worktree = tasks.spawn(repository, "fix-login")
    tasks.spawn(repository, "other")
    return worktree


def fenced(repository: Path, *, original_hooks: Path | None = None) -> Worker:
    state = repository / ".git" / "conductor"
    worktrees = repository.parent / "acme.worktrees"
    for task in ("fix-login", "other"):
        kit.git(repository, "worktree", "add", "--quiet", "-b", f"worker/{task}", str(worktrees / task))
    variables = fence.environment(
        hooks=fence.materialise(state / "hooks"),
        branch_ref=f"refs/heads/{MINE}",
        common_dir=repository / ".git",
        original_hooks=original_hooks or repository / ".git" / "hooks",
    )
    return Worker(repository, worktrees / "fix-login", variables)


def write_hook(directory: Path, name: str, script: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    hook = directory / name
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    return hook
