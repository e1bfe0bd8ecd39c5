"""P13: `conflicts` with 100 live workers, against one `git merge-tree` for each of their 4,950 pairs."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.repositories import git, name_of
from benchmarks.scene import Scene, scene
from conductor_git.actor import COORDINATOR
from conductor_git.gitcmd import Git
from conductor_git.names import TaskId
from conductor_git.run import utcnow
from conductor_git.workflow.conflicts import collisions
from conductor_git.workflow.foretell import foretell
from conductor_git.workflow.start import start

_SAMPLE: Final = 300
_LIMIT: Final = 5.0

Edit = Callable[[Scene, TaskId, Path], None]
"""What a worker does to the files of its worktree."""


def foresight(pairs: int, workers: int, files: int) -> Iterator[Row]:
    """The goal is set for a cold look; what is remembered makes the next one cheaper, which is shown beside it."""
    yield from _rows(pairs, workers, files, "each at 4 files of its own choice", _scattered)
    yield from _rows(pairs, workers, files, "all at one file", _crowded)


def _rows(pairs: int, workers: int, files: int, what: str, edit: Edit) -> Iterator[Row]:
    with scene(files) as here:
        for _ in range(workers):
            _work(here, edit)
        foretell(here.project)  # tells what there is to tell, once; the rows are about looking
        row = partial(_row, here, pairs, f"conflicts, {workers} workers with {files:,} files, {what}")
        yield row("cold", partial(_cold, here), goal=0.2)
        yield row("nothing changed since", lambda: timed(lambda: foretell(here.project)))
        yield row("for `status`, no branch moved since", partial(_glance, here))


def _row(here: Scene, pairs: int, what: str, how: str, ours: Callable[[], float], goal: float | None = None) -> Row:
    heads = git(here.repository, "for-each-ref", "--format=%(objectname)", "refs/heads/worker/").split()
    every = list(combinations(heads, 2))
    sample = random.Random(1).sample(every, min(_SAMPLE, len(every)))
    row = measured("P13", f"{what}, {how}", partial(_singly, here, sample, len(every)), ours, pairs=pairs, goal=goal)
    limit = _LIMIT if goal else None
    note = f"yardstick: {len(sample)} of {len(every):,} pairs, scaled up"
    return replace(row, limit_seconds=limit, note=note)


def _work(here: Scene, edit: Edit) -> None:
    """A live worker with a commit and, on top of it, uncommitted work, in a worktree that is an hour old.

    In one that was made in this second git cannot tell from the times what has changed, and reads every file.
    """
    task_id = here.task_id()
    place = Path(here.spawn(task_id).worktree)
    start(here.project, task_id, by=COORDINATOR, at=utcnow())
    before = time.time() - 3600
    for file in place.rglob("*.txt"):
        os.utime(file, (before, before))
    edit(here, task_id, place)
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "-m", f"Work of {task_id}")
    (place / f"{task_id}.txt").write_text("not committed yet\n")
    edit(here, task_id, place)


def _scattered(here: Scene, task_id: TaskId, place: Path) -> None:
    for number in random.Random(task_id).sample(range(here.files), 2):
        _append(place / name_of(number), task_id)


def _crowded(here: Scene, task_id: TaskId, place: Path) -> None:  # noqa: ARG001 - as `_scattered`
    _append(place / name_of(0), task_id)


def _append(file: Path, task_id: TaskId) -> None:
    file.write_text(file.read_text() + f"{task_id}\n")


def _singly(here: Scene, sample: list[tuple[str, str]], pairs: int) -> float:
    """The time that all pairs would take, from a sample: a process each, whose objects nobody flushes."""
    bare = Git(here.repository, config={"core.fsync": "none"})

    def work() -> None:
        for one, other in sample:
            bare.run("merge-tree", "--write-tree", one, other, ok=(0, 1))

    return timed(work) * pairs / len(sample)


def _cold(here: Scene) -> float:
    """Nothing is remembered but what the bus was told."""
    for name in ("merges", "answers"):
        (here.project.layout.foresight / name).unlink(missing_ok=True)
    return timed(lambda: foretell(here.project))


def _glance(here: Scene) -> float:
    runs = [here.project.runs.get(task_id) for task_id in here.project.runs.task_ids()]
    collisions(here.project, runs, uncommitted=False)
    return timed(lambda: collisions(here.project, runs, uncommitted=False))
