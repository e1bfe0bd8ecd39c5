"""queue: the approved tasks of each target, in the order in which they land; and landing all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.errors import BadRecord, IllegalTransition, LockTimeout
from conductor_git.history import tip_of
from conductor_git.landing import order
from conductor_git.landing.lease import lease
from conductor_git.landing.order import Queue, Waiting
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, next_command
from conductor_git.settings import target_config
from conductor_git.transition import note
from conductor_git.workflow.land import locked
from conductor_git.workflow.landing.batch import Batch
from conductor_git.workflow.landing.wish import Listener, Refused, Result, Terms, Wish

_LOCK_SECONDS = 10.0
_DEFAULT_BATCH = 8


@dataclass(frozen=True, slots=True)
class Processed:
    """What came of the tasks in the queues, in the order in which that was decided, and who has to wait for others."""

    results: tuple[Result, ...]
    waiting: tuple[Waiting, ...]


def queues(project: Project, target: str | None = None) -> dict[str, Queue]:
    """The queue of each target that approved tasks are to land on, or of `target` alone."""
    runs = _runs(project)
    wanted = order.targets(runs) if target is None else (target,)
    return {name: order.queue(runs, name) for name in wanted}


def _runs(project: Project) -> list[Run]:
    return [run for run in project.runs.scan() if not isinstance(run, BadRecord)]


def process(
    project: Project,
    *,
    by: Actor,
    at: Callable[[], datetime],
    target: str | None = None,
    wish: Wish | None = None,
    listener: Listener | None = None,
) -> Processed:
    """Land what is approved, target by target, in batches of `queue.batch` (config of the target).

    One that cannot land is a result that says why, and the rest goes on. Each is tried once; what is approved meanwhile
    is taken along. It can be killed at any moment, and called again.
    """
    terms = Terms(project, by, at, wish or Wish(), listener or Listener())
    results: list[Result] = []
    waiting: list[Waiting] = []
    for name in queues(project, target):
        queue = project.layout.landing_queue(name)
        with lease(queue, "queue", seconds=terms.wish.wait_seconds, waiting=terms.listener.waiting) as held:
            results += _processed(terms.holding(held), name)
        waiting += queues(project, name)[name].waiting
    return Processed(tuple(results), tuple(waiting))


def _processed(terms: Terms, target: str) -> list[Result]:
    project = terms.project
    results: list[Result] = []
    tried: set[TaskId] = set()
    while batch := _next(project, target, tried):
        tried.update(batch)
        try:
            with locked(project, batch, seconds=_LOCK_SECONDS) as holding:
                results += Batch(replace(terms, project=holding), target).land(batch)
        except LockTimeout as busy:
            results += [_busy(terms, task_id, busy) for task_id in batch]
    return results


def _next(project: Project, target: str, tried: set[TaskId]) -> list[TaskId]:
    ready = [run.task_id for run in queues(project, target)[target].ready if run.task_id not in tried]
    return ready[: _batch_size(project, target)] if ready else []


def _batch_size(project: Project, target: str) -> int:
    tip = tip_of(project.git, f"refs/heads/{target}")
    return _DEFAULT_BATCH if tip is None else target_config(project, tip).queue.batch


def _busy(terms: Terms, task_id: TaskId, busy: LockTimeout) -> Refused:
    result = Refused(terms.project.runs.get(task_id), busy)
    terms.listener.result(result)
    return result


def prioritise(project: Project, task_id: TaskId, priority: int, *, at: datetime) -> Run:
    """Give a task that has not ended another priority, in the queue or for when it comes there."""
    with journal.operation(project.layout, task_id, "queue"):
        run = project.runs.get(task_id)
        if run.state.is_final:
            raise IllegalTransition(
                f"{task_id} is {run.state}, and nothing of it waits for its turn",
                hint=next_command(run),
                task_id=task_id,
                state=str(run.state),
                event="queue",
            )
        return note(project, task_id, lambda now: replace(now, priority=priority), at=at)
