"""P8 to P10: spawn without an agent against `git worktree add` with the same config."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.scene import Scene, scene
from conductor_git.names import TaskId
from conductor_git.settings import project_config
from conductor_git.workflow import refill

_AT_ONCE: Final = 20
_BEHIND: Final = 3
_FILES: Final = 3000
"""The size for which the goals are set."""


def one(pairs: int, sizes: tuple[int, ...]) -> Iterator[Row]:
    """P8: one spawn, in process."""
    for files in sizes:
        with scene(files) as here:
            yield measured(
                "P8",
                f"spawn without an agent, in process, {files:,} files",
                partial(_worktree_add, here),
                partial(_spawn, here),
                pairs=max(3, pairs // 3) if files > 10_000 else pairs,
                goal=1.2 if files == _FILES else None,
            )


def pooled(pairs: int, files: int) -> Iterator[Row]:
    """P9: one spawn that takes a worktree from the pool, in process; filling the pool is not in the time."""
    with scene(files) as here:
        (here.repository / ".conductor.yaml").write_text("version: 1\npool: {size: 1}\n")
        warm = replace(here, config=project_config(here.project))
        for behind, goal in ((0, 0.2 if files == _FILES else None), (_BEHIND, None)):
            told = f", {behind} commits behind" if behind else ""
            yield measured(
                "P9",
                f"spawn from the warm pool, in process, {files:,} files{told}",
                partial(_worktree_add, here),
                partial(_spawn_from_pool, warm, behind),
                pairs=pairs,
                goal=goal,
            )


def _spawn_from_pool(here: Scene, behind: int) -> float:
    tip = here.git("rev-parse", "main")
    here.git("update-ref", "refs/heads/main", f"{tip}~{behind}")
    _fill(here)
    here.git("update-ref", "refs/heads/main", tip)
    task_id = here.task_id()
    seconds = timed(lambda: here.spawn(task_id))
    if "pool-" not in Path(here.project.runs.get(task_id).worktree, ".git").read_text():
        raise RuntimeError("the worktree did not come from the pool")
    _fill(here)
    here.forget(task_id)
    return seconds


def _fill(here: Scene) -> None:
    """Fill the pool, after the process that a spawn has started for it."""
    while not refill.refill(here.project):
        time.sleep(0.01)


def many(pairs: int, files: int) -> Iterator[Row]:
    """P10: spawns at once, of one process as a plan's, and each a cold command as a script would start them."""
    with scene(files) as here:
        for how, at_once in (("in one process", partial(_in_threads, here)), ("cold commands", partial(_cold, here))):
            yield measured(
                "P10",
                f"{_AT_ONCE} spawns at once, {how}, {files:,} files",
                lambda: sum(_worktree_add(here) for _ in range(_AT_ONCE)),
                partial(_spawns_at_once, here, at_once),
                pairs=pairs,
                goal=1.1 if files == _FILES else None,
            )


def _worktree_add(here: Scene) -> float:
    branch = f"yardstick/{next(here.numbers):05d}"
    path = here.repository.parent / branch.replace("/", "-")
    seconds = timed(lambda: here.git("worktree", "add", "--quiet", "--no-track", "-b", branch, str(path), "main"))
    here.forget_worktree(path, branch)
    return seconds


def _spawn(here: Scene) -> float:
    task_id = here.task_id()
    seconds = timed(lambda: here.spawn(task_id))
    here.forget(task_id)
    return seconds


def _spawns_at_once(here: Scene, at_once: Callable[[list[TaskId]], None]) -> float:
    task_ids = [here.task_id() for _ in range(_AT_ONCE)]
    seconds = timed(lambda: at_once(task_ids))
    for task_id in task_ids:
        here.forget(task_id)
    return seconds


def _in_threads(here: Scene, task_ids: list[TaskId]) -> None:
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for done in [threads.submit(here.spawn, task_id) for task_id in task_ids]:
            done.result()


def _cold(here: Scene, task_ids: list[TaskId]) -> None:
    command = str(Path(sys.executable).parent / "conductor-git")
    children = [
        Popen([command, "spawn", task_id], cwd=here.repository, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        for task_id in task_ids
    ]
    ends = [child.wait() for child in children]
    if any(ends):
        raise RuntimeError("a spawn failed")
