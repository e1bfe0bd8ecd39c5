"""P12: a queue of approved tasks with a gate of a second, all green, against the gate once for each of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.repositories import git
from benchmarks.scene import Scene, scene
from conductor_git.actor import COORDINATOR
from conductor_git.layout import CONFIG_NAME
from conductor_git.run import State, utcnow
from conductor_git.settings import project_config
from conductor_git.workflow.landing.wish import Wish
from conductor_git.workflow.queue import process

_GATE: Final = "sleep 1"
_MEASURED: Final = 3
"""Gates that the yardstick runs; the rest of them is reckoned, for nobody needs to wait for it."""


def queueing(pairs: int, tasks: int, sizes: Sequence[int]) -> Iterator[Row]:
    """With all that a landing comes with by default: in a large repository most of it is the removal of worktrees."""
    for files in sizes:
        yield _row(pairs, tasks, files)


def _row(pairs: int, tasks: int, files: int) -> Row:
    with scene(files) as here:
        file = here.repository / CONFIG_NAME
        file.write_text(f"gates:\n  - {{name: slow, run: {_GATE}}}\n")
        git(here.repository, "add", CONFIG_NAME)
        git(here.repository, "commit", "--quiet", "-m", "Have a gate")
        here.config = project_config(here.project)
        what = f"{tasks} approved tasks, a gate of 1 s, all green, {files:,} files"
        yardstick, ours = partial(_gates, here.repository, tasks), partial(_queue, here, tasks)
        row = measured("P12", what, yardstick, ours, pairs=pairs, goal=0.25)
        return replace(row, note=f"yardstick: {tasks} gates, reckoned from {_MEASURED}")


def _gates(repository: Path, tasks: int) -> float:
    def work() -> None:
        for _ in range(_MEASURED):
            subprocess.run(["sh", "-c", _GATE], cwd=repository, check=True)

    return timed(work) * tasks / _MEASURED


def _queue(here: Scene, tasks: int) -> float:
    task_ids = [here.task_id() for _ in range(tasks)]
    for task_id in task_ids:
        here.approved(task_id)
    os.sync()
    seconds = timed(lambda: process(here.project, by=COORDINATOR, at=utcnow, wish=Wish(trust=True)))
    left = [task_id for task_id in task_ids if here.project.runs.get(task_id).state is not State.COMPLETED]
    if left:
        raise RuntimeError(f"not landed: {', '.join(left)}")
    for task_id in task_ids:
        here.forget(task_id)
    return seconds
