"""P6, P7 and P14: whole commands, cold, against an interpreter of the same installation that does nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from benchmarks.pairs import Row, measured, timed
from benchmarks.scene import Scene, run_silently, scene
from conductor_git.actor import COORDINATOR
from conductor_git.run import Run, State, utcnow
from conductor_git.store.files import encode
from conductor_git.workflow.finish import finish

_TASKS: Final = 4
_PATIENCE: Final = 0.15
"""Seconds at a keyboard: after TAB nobody waits longer without noticing."""


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


def many(pairs: int, counts: Sequence[int]) -> Iterator[Row]:
    """P14: `status` where most tasks ended long ago, and what a shell asks at TAB; as many processes as for a few."""
    for count in counts:
        with scene(200) as here:
            first = here.committed(here.task_id())
            _copied(here, first, count)
            for words in (["status"], ["status", "--all"], ["__complete", "--", "show", "task-"]):
                what = " ".join(words).removesuffix(" -- show task-").replace("__complete", "candidates at TAB")
                limit = _PATIENCE if words[0] == "__complete" else None
                row = _cold("P14", words, here.repository, pairs, goal=20 if words == ["status"] else None)
                yield replace(row, what=f"{what}, {count:,} tasks", limit_seconds=limit)


def _copied(here: Scene, run: Run, count: int) -> None:
    """Records as that of `run` under other ids, nineteen of twenty of them ended; none has a worktree."""
    layout = here.project.layout
    for _ in range(count - 1):
        task_id = here.task_id()
        state = run.state if int(task_id.rpartition("-")[2]) % 20 == 0 else State.CANCELLED
        made = replace(
            run, task_id=task_id, state=state, branch=f"worker/{task_id}", worktree=f"{run.worktree}-{task_id}"
        )
        layout.task(task_id).mkdir(parents=True)
        layout.run_info(task_id).write_bytes(encode(made))


def _with_tasks(here: Scene) -> str:
    """A few tasks with a commit each, the last one in review; returns its worktree."""
    runs = [here.committed(here.task_id()) for _ in range(_TASKS)]
    return finish(here.project, runs[-1].task_id, by=COORDINATOR, at=utcnow()).worktree


def _cold(number: str, words: list[str], cwd: Path, pairs: int, goal: float | None) -> Row:
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
