"""Kills of a spawn that takes a worktree from the pool, and of a landing that gives one back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from conductor_git import durable
from conductor_git.pool import fill
from conductor_git.workflow import refill
from tests import kit
from tests.faults.scenes import TASK, Scene, Stage, work
from tests.faults.trial import OneTask

_CACHE: Final = "build/out.o"


def _pooled(stage: Stage) -> None:
    (stage.main / ".conductor.yaml").write_text("version: 1\npool: {size: 1}\n")
    kit.git(stage.main, "add", "--all")
    kit.git(stage.main, "commit", "--quiet", "-m", "work: a pool")
    kit.until(lambda: refill.refill(stage.project))


def _approved(stage: Stage) -> None:
    _pooled(stage)
    stage.ask("spawn", TASK)
    stage.ask("start", TASK)
    work(stage)
    stage.ask("done", TASK)
    stage.ask("approve", TASK)
    (stage.worktree / _CACHE).parent.mkdir()
    (stage.worktree / _CACHE).write_text("cache\n")
    (stage.worktree / "unsaved.txt").write_text("not handed in\n")
    quiet(stage)


SCENES: Final = {
    scene.name: scene
    for scene in (
        Scene("spawn-pooled", ("spawn", TASK), _pooled, again=(0, 1)),
        Scene("merge-pooled", ("merge", TASK), _approved),
    )
}


def quiet(stage: Stage) -> None:
    """Wait until no process that a command of the stage started fills its pool."""
    kit.until(lambda: not any(_fills(process, str(stage.main)) for process in psutil.process_iter()))


def _fills(process: psutil.Process, place: str) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return refill.__name__ in words and place in words


class Pooled(OneTask):
    """What holds of one task holds with a pool too, once the pool was emptied: nothing is left that nobody knows."""

    def findings(self, stage: Stage, before: kit.Snapshot) -> list[str]:
        quiet(stage)
        layout = stage.project.layout
        with durable.lock(layout.pool_lock, seconds=60):
            fill.empty(layout, lambda entry: None)
        left = [str(Path(path).name) for path in layout.pool.iterdir() if path != layout.pool_log]
        return [*(f"the pool still has {name}" for name in left), *super().findings(stage, before)]
