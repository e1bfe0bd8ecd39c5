"""The places of the workers that may run at once: `limits.workers` in all, for every process of the project.

A worker that waits for its sub-tasks lends its place: else those could wait for it, and it for them, for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.runner.supervising.world import World

_LOOK_SECONDS: Final = 0.5


@contextmanager
def slot(layout: Layout, count: int, world: World, *, wait: Callable[[], None]) -> Iterator[bool]:
    """Hold one of `count` places for the block; False where we were told to end before one was free.

    `wait` is called once, before the first wait. The kernel frees a place when its holder ends, however it ends.
    """
    with ExitStack() as held:
        is_waiting = False
        while not world.is_told_to_end:
            if _taken(layout, count, held):
                yield True
                return
            if not is_waiting:
                wait()
                is_waiting = True
            world.wait(_LOOK_SECONDS)
        yield False


def free(layout: Layout, count: int) -> int:
    """How many of `count` places are free now; somebody may take them at once."""
    found = 0
    for number in range(count + _lent(layout)):
        with durable.try_lock(_place(layout, number)) as fd:
            found += fd is not None
    return found


@contextmanager
def lending(layout: Layout, task_id: TaskId) -> Iterator[None]:
    """Let somebody else have the place of the task's worker for the block; there can be one more for a while after."""
    with durable.try_lock(layout.lent / task_id):
        yield


def _lent(layout: Layout) -> int:
    try:
        names = [entry.name for entry in layout.lent.iterdir()]
    except FileNotFoundError:
        return 0
    lent = 0
    for name in names:
        with durable.try_lock(layout.lent / name) as fd:
            lent += fd is None
    return lent


def _taken(layout: Layout, count: int, held: ExitStack) -> bool:
    for number in range(count + _lent(layout)):
        with ExitStack() as tried:
            if tried.enter_context(durable.try_lock(_place(layout, number))) is not None:
                held.push(tried.pop_all())
                return True
    return False


def _place(layout: Layout, number: int) -> Path:
    return layout.slots / str(number)
