"""The one way a task changes its state: the guarded record first, then its STATE message on the bus.

A crash between the two leaves a step that was never told; `tell_missing` tells it, and recovery calls that. So the
record and the bus agree whenever no operation is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from conductor_git.errors import ConductorError, StaleGeneration, Unfinished
from conductor_git.message import Message
from conductor_git.names import CommitId, RunId, TaskId, readable, short
from conductor_git.project import Project
from conductor_git.run import Event, Run, Step, advance


def move(  # noqa: PLR0913 - what one transition needs, all but two by name
    project: Project,
    task_id: TaskId,
    event: Event,
    *,
    at: datetime,
    by: str,
    commit: CommitId | None = None,
    note: str | None = None,
    generation: int | None = None,
    also: Callable[[Run], Run] = lambda run: run,
) -> Run:
    """Apply `event` and then the pure change `also` in one guarded write, and tell it on the bus.

    `IllegalTransition`, or `StaleGeneration` where `generation` is older than the record's, changes nothing. Call it
    inside `journal.operation`, so that a kill before the message is mended.
    """

    def change(run: Run) -> Run:
        require_generation(run, generation)
        return also(advance(run, event, at=at, by=by, commit=commit, note=note))

    run = project.runs.update(task_id, change)
    with following(run):
        _tell(project, run, len(run.history) - 1)
    return run


@contextmanager
def following(run: Run) -> Iterator[None]:
    """Around what follows a change that is on record: a refusal in here is `Unfinished`, for recovery to finish."""
    try:
        yield
    except ConductorError as refused:
        raise Unfinished(
            f"{run.task_id} is {run.state}, and what follows from it could not be written: {refused.message}; the next "
            "command does it",
            hint=refused.hint,
            **{**refused.facts, "task_id": run.task_id, "state": str(run.state)},
        ) from refused


def begin(project: Project, run: Run) -> Run:
    """Store a first record and tell its first step."""
    run = project.runs.create(run)
    _tell(project, run, 0)
    return run


def require_generation(run: Run, generation: int | None) -> None:
    """A command from a worker of an older generation does not speak for the task any more."""
    if generation is not None and generation < run.generation:
        raise StaleGeneration(
            f"this worktree is of generation {generation} of {run.task_id}, which was retried since: it is at "
            f"generation {run.generation}",
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
            generation=run.generation,
        )


def tell_missing(project: Project, run: Run) -> None:
    """Post the STATE messages of the steps that the bus does not have yet, in order. Safe to repeat.

    For recovery: it looks back on the bus for the newest STATE message of the task, which says the number of its step.
    """
    told = 0
    for message in project.bus.tail(1, types=("STATE",), task_id=run.task_id):
        told = int(message.meta.get("step", "0"))
    for number in range(told, len(run.history)):
        _tell(project, run, number)


def _tell(project: Project, run: Run, number: int) -> None:
    before = run.history[number - 1] if number else None
    project.bus.append(state_message(run, run.history[number], before, number))


def state_message(run: Run, step: Step, before: Step | None, number: int) -> Message:
    """The bus's word on one step of the history; `meta.step` counts from 1."""
    origin = str(before.state) if before else "-"
    meta = {"event": str(step.event), "from": origin, "to": str(step.state), "by": step.by, "step": str(number + 1)}
    if step.commit:
        meta["commit"] = step.commit
    if before is None:
        meta |= _ordered(run)
    words = f"{run.task_id}: {origin} → {step.state} ({step.event} by {step.by})"
    if step.commit:
        words += f" at {short(step.commit)}"
    if step.note:
        # Its first line: a review or a bounce has a message of its own that says the rest.
        words += f"\n\n{step.note.partition(chr(10))[0]}"
    return message_of(run, "STATE", words, meta)


def _ordered(run: Run) -> dict[str, str]:
    """What else was asked of the task, for who has to make its record again from the bus."""
    reviews = {"reviews": str(run.reviews_required)} if run.reviews_required != 1 else {}
    return reviews | ({"needs": " ".join(run.needs)} if run.needs else {})


def message_of(
    run: Run, kind: str, body: str, meta: Mapping[str, str] | None = None, run_id: RunId | None = None
) -> Message:
    """A message of `kind` about `run`."""
    return Message(
        type=kind,
        body=readable(body),
        project_id=run.project_id,
        task_id=run.task_id,
        run_id=run_id,
        parents=(),
        attachment_path=None,
        meta=dict(meta or {}),
    )


def note(project: Project, task_id: TaskId, change: Callable[[Run], Run], *, at: datetime) -> Run:
    """A guarded write that is no transition: an attempt's end, a landing's phase, a supervisor's pid."""
    return project.runs.update(task_id, lambda run: _stamped(run, change(run), at))


def _stamped(before: Run, after: Run, at: datetime) -> Run:
    return before if after is before else replace(after, updated_at=at)
