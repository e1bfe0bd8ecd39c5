"""P6 and P7: whole commands, cold, against an interpreter of the same installation that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.scene import Scene, run_silently, scene
from conductor_git.actor import COORDINATOR
from conductor_git.run import utcnow
from conductor_git.workflow.finish import finish

_TASKS: Final = 4


def hot(pairs: int) -> Iterator[Row]:
    """P6: what an agent runs at every step."""
    with scene(200) as here:
        place = Path(_with_tasks(here))
        for words in (["heartbeat"], ["bus", "post", "The redirect loop is fixed."], ["ctx"], ["ctx", "--json"]):
            yield _cold("P6", words, place, pairs, goal=6)


def looking(pairs: int) -> Iterator[Row]:
    """P7: what answers from records."""
    with scene(200) as here:
        _with_tasks(here)
        last = here.spawn(here.task_id(), "true")
        for words in (
            ["status"],
            ["status", "--json"],
            ["show", last.task_id],
            ["diff", "task-00000"],
            ["log", last.task_id],
            ["bus", "read"],
        ):
            yield _cold("P7", words, here.repository, pairs, goal=14)


def _with_tasks(here: Scene) -> str:
    """A few tasks with a commit each, the last one in review; returns its worktree."""
    runs = [here.committed(here.task_id()) for _ in range(_TASKS)]
    return finish(here.project, runs[-1].task_id, by=COORDINATOR, at=utcnow()).worktree


def _cold(number: str, words: list[str], cwd: Path, pairs: int, goal: float) -> Row:
    nothing = [sys.executable, "-c", "pass"]
    command = [str(Path(sys.executable).parent / "conductor-git"), *words]
    return measured(
        number,
        " ".join(words[:2] if words[0] == "bus" else [word for word in words if not word.startswith("task-")]),
        lambda: timed(lambda: run_silently(nothing, cwd)),
        lambda: timed(lambda: run_silently(command, cwd)),
        pairs=pairs,
        goal=goal,
    )
