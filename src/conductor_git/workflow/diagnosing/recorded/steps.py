"""A task's steps as the bus tells of them, and what a record would be that had come to where they lead (no I/O)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from conductor_git.message import Message
from conductor_git.record import parse_commit
from conductor_git.run import TRANSITIONS, Event, Run, State, Step

_HEADS = (Event.DONE, Event.SUPERSEDE)


def steps_told(messages: Sequence[Message]) -> tuple[Step, ...]:
    """The steps without a gap from the first on, as far as they obey the table of transitions."""
    steps: list[Step] = []
    for message in messages:
        step = _step(message, len(steps) + 1)
        if step is None or not _follows(steps[-1] if steps else None, step):
            break
        steps.append(step)
    return tuple(steps)


def _step(message: Message, number: int) -> Step | None:
    meta = message.meta
    try:
        if int(meta["step"]) != number:
            return None
        commit = parse_commit(meta["commit"]) if "commit" in meta else None
        return Step(number, Event(meta["event"]), State(meta["to"]), _time(message.ts), meta["by"], commit)
    except (KeyError, ValueError):
        return None


def _follows(before: Step | None, step: Step) -> bool:
    if before is None:
        return step.event is Event.SPAWN
    return TRANSITIONS.get((before.state, step.event)) is step.state


def _time(ts: str) -> datetime:
    return datetime.fromisoformat(f"{ts[:26]}+00:00")  # a message has nanoseconds, and a record microseconds


def brought_to(run: Run, steps: Sequence[Step]) -> Run:
    """`run` where `steps`, its whole history, lead: state, generation, and the commits that the steps name."""
    known = len(run.history) if is_prefix(run.history, steps) else 0
    if not known:
        run = replace(run, generation=1, head_commit=None, approved_commit=None, merge_commit=None, history=())
    for step in steps[known:]:
        run = _after(run, step)
    return run


def _after(run: Run, step: Step) -> Run:
    run = replace(run, state=step.state, updated_at=max(run.updated_at, step.at), history=(*run.history, step))
    if step.event in _HEADS:
        return replace(run, head_commit=step.commit or run.head_commit, approved_commit=None)
    if step.event is Event.APPROVE:
        return replace(run, approved_commit=step.commit)
    if step.event in (Event.REQUEST_CHANGES, Event.BOUNCE):
        return replace(run, approved_commit=None)
    if step.event is Event.MERGE:
        return replace(run, merge_commit=step.commit)
    if step.event is Event.RETRY:
        base = step.commit or run.base_commit
        generation = run.generation + 1
        return replace(run, generation=generation, base_commit=base, head_commit=None, approved_commit=None)
    return run


def is_prefix(known: Sequence[Step], steps: Sequence[Step]) -> bool:
    """Whether `steps` goes on from `known`."""
    return len(known) <= len(steps) and agree(known, steps)


def agree(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Whether two accounts of a history are the same as far as both go."""
    return all(map(_same, one, other))


def _same(one: Step, other: Step) -> bool:
    # The bus tells a step a moment later, and by its number alone.
    return (one.event, one.state, one.commit) == (other.event, other.state, other.commit)
