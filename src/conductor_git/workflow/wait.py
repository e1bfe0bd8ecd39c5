"""wait: until tasks have got as far as is asked. Sleeps on the bus, and reads a record when a message speaks of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from enum import StrEnum
from typing import Final

from conductor_git.actor import Actor
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import Tell, unheard
from conductor_git.config.duration import format_duration
from conductor_git.errors import BadInput, StaleGeneration, StateUnwritable, TaskEnded, WaitTimeout
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.runner.supervising.slots import lending
from conductor_git.wording import listed
from conductor_git.workflow.beat import beat
from conductor_git.workflow.looking.sift import LIVE

BEAT_SECONDS: Final = 5.0


class Until(StrEnum):
    """How far a task has to get; what is there counts as there, also should it be sent back afterwards."""

    FINAL = "final"
    REVIEW = "review"
    """In review at least: landed is further."""
    LANDED = "landed"
    """COMPLETED: a task whose work is a verdict or an answer gets no further."""


_THERE: Final[Mapping[Until, frozenset[State]]] = {
    Until.FINAL: frozenset(State) - LIVE,
    Until.REVIEW: frozenset({State.IN_REVIEW, State.APPROVED, State.COMPLETED}),
    Until.LANDED: frozenset({State.COMPLETED}),
}


def wait(
    project: Project, tasks: Sequence[TaskId], until: Until, *, seconds: float | None = None, tell: Tell = unheard
) -> Iterator[Run]:
    """The records of `tasks` as these get there, each once; ends when the last one has.

    `TaskEnded` as soon as one has ended otherwise, `WaitTimeout` after `seconds` (None: never). A change is on record
    before the bus tells of it, and the place on the bus is taken before the first look at the records: so none is
    missed between the two. What a killed command has not told yet is seen once the next command has, or at the end.
    """
    last = project.bus.tail(1)
    left = {task_id: project.runs.get(task_id) for task_id in tasks}
    with Stop(seconds) as stop:
        for _ in _looks(project, left, last[-1].msg_id if last else None, stop, tell):
            for run in [run for run in left.values() if run.state in _THERE[until]]:
                del left[run.task_id]
                yield run
            if not left:
                return
            _require_possible(left, until)
    raise _too_late(left, until, seconds or 0.0)


def _looks(project: Project, left: dict[TaskId, Run], since: str | None, stop: Stop, tell: Tell) -> Iterator[None]:
    """A moment to look at `left`: now, after each step of one of them, and at the end."""
    yield
    with closing(project.bus.follow(since, ("STATE",), stop=stop, tell=tell)) as messages:
        for message in messages:
            if message.task_id in left:
                task_id = TaskId(message.task_id)
                left[task_id] = project.runs.get(task_id)
                yield
    left |= {task_id: project.runs.get(task_id) for task_id in left}
    yield


def _require_possible(left: Mapping[TaskId, Run], until: Until) -> None:
    ended = [run for run in left.values() if run.state.is_final]
    if ended:
        raise TaskEnded(
            f"{listed([_standing(run) for run in ended])}: that will not be {_ASKED[until]} any more",
            hint=f"conductor-git show {ended[0].task_id}",
            ended=_facts(ended),
            missing=_facts([run for run in left.values() if not run.state.is_final]),
        )


def _too_late(left: Mapping[TaskId, Run], until: Until, seconds: float) -> WaitTimeout:
    return WaitTimeout(
        f"not {_ASKED[until]} after {format_duration(seconds)}: {listed([_standing(run) for run in left.values()])}",
        hint=f"conductor-git show {next(iter(left))}",
        missing=_facts(left.values()),
        seconds=seconds,
    )


_ASKED: Final[Mapping[Until, str]] = {Until.FINAL: "final", Until.REVIEW: "in review", Until.LANDED: "landed"}


def _standing(run: Run) -> str:
    return f"{run.task_id} is {run.state}"


def _facts(runs: Iterable[Run]) -> list[dict[str, str]]:
    return [{"task_id": run.task_id, "state": str(run.state)} for run in runs]


def require_another(tasks: Sequence[TaskId], by: Actor) -> None:
    """A worker that waits for its own task waits for itself."""
    for task_id in tasks:
        if by.is_worker_of(task_id):
            raise BadInput(
                f"the worker of {task_id} would wait for itself",
                hint="conductor-git wait --children",
                task_id=task_id,
            )


@contextmanager
def beating(project: Project, by: Actor, every: float = BEAT_SECONDS) -> Iterator[None]:
    """While the block runs, the worker that speaks is at work and not quiet: `beat` for it now and `every` few seconds.
    Its place among the workers is lent to whom it waits for.

    `StaleGeneration` at once for a worker whose task was retried since; one that is retried meanwhile beats no more.
    """
    task_id = by.speaker
    if task_id is None:
        yield
        return
    done = threading.Event()

    def once() -> None:
        beat(project.layout, lambda: project.bus, task_id, by=by, project_id=project.project_id)

    def again() -> None:
        try:
            while not done.wait(every):
                once()
        except (StaleGeneration, StateUnwritable, OSError):
            return

    once()
    thread = threading.Thread(target=again, name="heartbeat", daemon=True)
    thread.start()
    try:
        with lending(project.layout, task_id):
            yield
    finally:
        done.set()
        thread.join()
