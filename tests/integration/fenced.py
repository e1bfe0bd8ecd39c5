"""A fenced worker on a real repository, and hooks that its project had before."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git import fence
from tests import kit

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
