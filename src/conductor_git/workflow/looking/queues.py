"""queues: the approved tasks of each target in the order in which they land, from the records that this asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conductor_git.errors import ConductorError
from conductor_git.landing import order
from conductor_git.landing.order import Queue
from conductor_git.project import Project
from conductor_git.run import Run, State


def queues(project: Project, live: Sequence[Run], target: str | None = None) -> dict[str, Queue]:
    """The queue of each target that approved tasks are to land on, or of `target` alone; `live` are all live tasks.

    Of those that have ended, only what approved tasks need is read.
    """
    runs = [*live, *_needed(project, live)]
    wanted = order.targets(live) if target is None else (target,)
    return {name: order.queue(runs, name) for name in wanted}


def _needed(project: Project, live: Sequence[Run]) -> Iterator[Run]:
    """What approved tasks need and is not live: whether it has landed."""
    needs = {need for run in live if run.state is State.APPROVED for need in run.needs}
    for task_id in needs - {run.task_id for run in live}:
        try:
            yield project.runs.get(task_id)
        except ConductorError:
            continue  # it is not there or cannot be read, so nobody knows that it has landed
