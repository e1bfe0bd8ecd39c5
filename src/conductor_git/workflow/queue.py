"""queue: the approved tasks of each target, in the order in which they land; and landing all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from conductor_git import journal
from conductor_git.actor import Actor
from conductor_git.errors import LockTimeout
from conductor_git.history import tip_of
from conductor_git.landing.order import Queue, Waiting
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, illegal
from conductor_git.settings import target_config
from conductor_git.transition import note
from conductor_git.workflow.landing.batch import Batch
from conductor_git.workflow.landing.wish import Listener, Refused, Result, Terms, Wish
from conductor_git.workflow.looking.queues import queues as queues_among
from conductor_git.workflow.looking.sift import live
from conductor_git.workflow.turn import turn

_LOCK_SECONDS = 10.0
_DEFAULT_BATCH = 8


@dataclass(frozen=True, slots=True)
class Processed:
    """What came of the tasks in the queues, in the order in which that was decided, and who has to wait for others."""

    results: tuple[Result, ...]
    waiting: tuple[Waiting, ...]


def queues(project: Project, target: str | None = None) -> dict[str, Queue]:
    """The queue of each target that approved tasks are to land on, or of `target` alone."""
    return queues_among(project, live(project), target)


def process(
    project: Project,
    *,
    by: Actor,
    at: Callable[[], datetime],
    target: str | None = None,
    plan: str | None = None,
    wish: Wish | None = None,
    listener: Listener | None = None,
) -> Processed:
    """Land what is approved, target by target, in batches of `queue.batch` (config of the target); of `plan` alone
    where one is given.

    One that cannot land is a result that says why, and the rest goes on. Each is tried once; what is approved meanwhile
    is taken along. It can be killed at any moment, and called again.
    """
    terms = Terms(project, by, at, wish or Wish(), listener or Listener())
    results: list[Result] = []
    waiting: list[Waiting] = []
    for name in queues(project, target):
        with turn(project, name, "queue", wish=terms.wish, listener=terms.listener, at=at) as held:
            results += _processed(terms.holding(held), name, plan)
        waiting += queues(project, name)[name].waiting
    return Processed(tuple(results), tuple(waiting))


def _processed(terms: Terms, target: str, plan: str | None) -> list[Result]:
    project = terms.project
    results: list[Result] = []
    tried: set[TaskId] = set()
    while batch := _next(project, target, plan, tried):
        tried.update(batch)
        with _locked(project, batch, seconds=min(_LOCK_SECONDS, terms.wish.wait_seconds)) as (holding, busy):
            results += [_busy(terms, task_id, timeout) for task_id, timeout in busy.items()]
            free = [task_id for task_id in batch if task_id not in busy]
            results += Batch(replace(terms, project=holding), target).land(free)
    return results


@contextmanager
def _locked(
    project: Project, task_ids: Sequence[TaskId], *, seconds: float
) -> Iterator[tuple[Project, dict[TaskId, LockTimeout]]]:
    """Hold the locks of `task_ids`, each with an intent to land, and hand them on to the git children of the project.

    Those that another command keeps for longer than `seconds` are left out, with the error of each; after the first of
    them nobody is waited for any more. Always taken in the same order; whoever else takes several of them holds the
    lease of their target.
    """
    busy: dict[TaskId, LockTimeout] = {}
    held: list[int] = []
    with ExitStack() as stack:
        for task_id in sorted(task_ids):
            wait = 0 if busy else seconds
            try:
                held.append(stack.enter_context(journal.operation(project.layout, task_id, "merge", seconds=wait)))
            except LockTimeout as timeout:
                busy[task_id] = timeout
        yield project.holding(*held), busy


def _next(project: Project, target: str, plan: str | None, tried: set[TaskId]) -> list[TaskId]:
    wanted = [run for run in queues(project, target)[target].ready if plan is None or run.plan == plan]
    ready = [run.task_id for run in wanted if run.task_id not in tried]
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
            raise illegal(run, "queue", f"{task_id} is {run.state}, and nothing of it waits for its turn")
        return note(project, task_id, lambda now: replace(now, priority=priority), at=at)
