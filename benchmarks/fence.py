"""F1: one ref update behind the fence, against the same `git update-ref` without hooks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.repositories import git
from benchmarks.scene import scene
from conductor_git.gitcmd import config_variables, durable_config
from conductor_git.names import RunId
from conductor_git.run import Run
from conductor_git.runner.environment import agent_environment
from conductor_git.workflow import hooks

_MORE_SECONDS: Final = 0.005
_NO_HOOKS: Final = config_variables({"core.hooksPath": "/dev/null", **durable_config()})


def updates(pairs: int) -> Iterator[Row]:
    """Git runs the hook twice at every update: when it is prepared, and when it is done."""
    with scene(200) as here:
        run = here.committed(here.task_id())
        agents = agent_environment(here.project, run, RunId("20260105-090000000000-1-1"), None)
        yield _row(run, "an agent", agents, pairs)
        hooks.install(here.project)
        yield _row(run, "by hand", {}, pairs)


def _row(run: Run, who: str, variables: Mapping[str, str], pairs: int) -> Row:
    """The branch goes to and fro between two commits; the yardstick's git flushes as ours does, and has no hooks."""
    there = Path(run.worktree)
    both = cycle(git(there, "rev-parse", "HEAD~1", "HEAD").split())

    def update(environment: Mapping[str, str]) -> None:
        command = ["git", "update-ref", run.branch_ref, next(both)]
        subprocess.run(command, cwd=there, env=os.environ | environment, check=True, stdin=subprocess.DEVNULL)

    row = measured(
        "F1",
        f"git update-ref, {who}",
        lambda: timed(lambda: update(_NO_HOOKS)),
        lambda: timed(lambda: update(variables)),
        pairs=pairs,
    )
    return replace(row, more_seconds=_MORE_SECONDS, note=f"{row.difference * 1000:.1f} ms more an update")
