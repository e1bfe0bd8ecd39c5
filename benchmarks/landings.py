"""P11: landing one approved task without gates, against the bare git commands that do as much to the repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.scene import Scene, scene
from conductor_git import durable
from conductor_git.actor import COORDINATOR
from conductor_git.run import utcnow
from conductor_git.workflow.land import Wish, land

_FILES: Final = 3000


def landing(pairs: int) -> Iterator[Row]:
    """The goal is set for the landing itself; what a cleanup adds is shown beside it."""
    for checked_out in (False, True):
        for cleanup in (False, True):
            with scene(_FILES) as here:
                if not checked_out:
                    here.git("switch", "--quiet", "--create", "elsewhere")
                    here.config = here.config.model_copy(update={"target": "main"})
                where = "target checked out" if checked_out else "target not checked out"
                yield measured(
                    "P11",
                    f"landing, {where}" + (", with cleanup" if cleanup else ""),
                    partial(_bare, here),
                    partial(_land, here, cleanup),
                    pairs=pairs,
                    goal=None if cleanup else 3,
                )


def _bare(here: Scene) -> float:
    """merge-tree, commit-tree, update-ref and a sync of the file system, on a branch nobody has checked out."""
    task_id = here.task_id()
    run = here.committed(task_id)
    tip = here.git("rev-parse", run.branch_ref)
    here.git("update-ref", "refs/heads/yardstick", run.base_commit)
    os.sync()

    def work() -> None:
        tree = here.git("merge-tree", "--write-tree", run.base_commit, tip)
        commit = here.git("commit-tree", "-p", run.base_commit, "-p", tip, "-m", "Land", tree)
        here.git("update-ref", "refs/heads/yardstick", commit, run.base_commit)
        durable.sync_filesystem(here.repository)

    seconds = timed(work)
    here.forget(task_id)
    return seconds


def _land(here: Scene, cleanup: bool) -> float:
    task_id = here.task_id()
    here.approved(task_id)
    os.sync()
    wish = Wish(cleanup=cleanup)
    seconds = timed(lambda: land(here.project, task_id, by=COORDINATOR, at=utcnow, wish=wish))
    here.forget(task_id)
    return seconds
