"""P11: landing one approved task without gates, against the bare git commands that do as much to the repository."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.scene import Scene, scene
from conductor_git import durable
from conductor_git.actor import COORDINATOR
from conductor_git.run import Run, utcnow
from conductor_git.workflow.land import land
from conductor_git.workflow.landing.wish import Wish

_YARDSTICK: Final = "refs/heads/yardstick"


def landing(pairs: int, files: int) -> Iterator[Row]:
    """The goal is set for the landing itself; what a checkout and a cleanup add is shown beside it."""
    row = partial(_row, pairs, files)
    yield row("target not checked out", _update, checked_out=False, goal=3)
    yield row("target not checked out, with cleanup", _update, checked_out=False, cleanup=True)
    yield row("target checked out", _update, checked_out=True, goal=3)
    yield row("target checked out; yardstick: `merge --ff-only`", _forward, checked_out=True)
    yield row("target checked out, with cleanup", _update, checked_out=True, cleanup=True)


def _row(
    pairs: int,
    files: int,
    what: str,
    publish: Callable[[Scene, Run, str], None],
    *,
    checked_out: bool,
    cleanup: bool = False,
    goal: float | None = None,
) -> Row:
    with scene(files) as here:
        if not checked_out:
            here.git("switch", "--quiet", "--create", "elsewhere")
            here.config = here.config.model_copy(update={"target": "main"})
        return measured(
            "P11",
            f"landing, {files:,} files, {what}",
            partial(_bare, here, publish),
            partial(_land, here, cleanup),
            pairs=pairs,
            goal=goal,
        )


def _bare(here: Scene, publish: Callable[[Scene, Run, str], None]) -> float:
    """merge-tree, commit-tree, the move of a branch, and a sync of the file system."""
    task_id = here.task_id()
    run = here.committed(task_id)
    tip = here.git("rev-parse", run.branch_ref)
    here.git("update-ref", _YARDSTICK, run.base_commit)
    os.sync()

    def work() -> None:
        tree = here.git("merge-tree", "--write-tree", run.base_commit, tip)
        publish(here, run, here.git("commit-tree", "-p", run.base_commit, "-p", tip, "-m", "Land", tree))
        durable.sync_filesystem(here.repository)

    seconds = timed(work)
    here.forget(task_id)
    return seconds


def _update(here: Scene, run: Run, commit: str) -> None:
    """Move a branch that nobody has checked out."""
    here.git("update-ref", _YARDSTICK, commit, run.base_commit)


def _forward(here: Scene, run: Run, commit: str) -> None:  # noqa: ARG001 - as `_update`
    here.git("merge", "--quiet", "--ff-only", commit)


def _land(here: Scene, cleanup: bool) -> float:
    task_id = here.task_id()
    here.approved(task_id)
    os.sync()
    wish = Wish(cleanup=cleanup)
    seconds = timed(lambda: land(here.project, task_id, by=COORDINATOR, at=utcnow, wish=wish))
    here.forget(task_id)
    return seconds
