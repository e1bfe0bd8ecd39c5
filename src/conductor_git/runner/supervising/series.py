"""What a supervisor does next, from what is on record of the attempts before (no I/O).

The attempts that count are those since the task last came to its worker: by spawn or retry, by a review that asks for
changes, by a bounce.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from conductor_git.config.duration import format_duration
from conductor_git.config.model import Limits
from conductor_git.run import UNCOUNTED, Attempt, Doing, End, Event, Run, State, has_handed_in, how_it_ended

LONGEST_BACKOFF: Final = 300.0
"""Seconds between two attempts, at most."""
_LIMIT_BACKOFF: Final = 12
"""A provider that would not serve is asked again after so many times `limits.backoff`, doubled each time."""
_LONGEST_LIMIT_BACKOFF: Final = 1800.0
_COMES_TO_WORKER: Final = (
    Event.SPAWN,
    Event.RETRY,
    Event.DONE,
    Event.SUPERSEDE,
    Event.REQUEST_CHANGES,
    Event.BOUNCE,
)
_UNUSABLE: Final = (End.UNSTARTABLE, End.REFUSED)


@dataclass(frozen=True, slots=True)
class Begin:
    """Another attempt, by this agent."""

    agent: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing until then."""

    until: datetime
    doing: Doing
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The task has failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Leave:
    """There is nothing for an agent to do."""


Next: TypeAlias = Begin | Pause | GiveUp | Leave


def next_step(run: Run, limits: Limits, now: datetime) -> Next:
    """What follows on the attempts of `run`, none of which is running."""
    if run.state not in (State.ASSIGNED, State.WORKING):
        return Leave()
    tried = series(run)
    if tried and tried[-1].end in (None, End.EXITED) and has_handed_in(run, tried[-1]):
        return Leave()
    if limits.cost_usd is not None and (spent := cost(run)) >= limits.cost_usd:
        return GiveUp(f"its attempts cost ${spent:.2f}, and limits.cost_usd is ${limits.cost_usd:.2f}")
    counted = [attempt for attempt in tried if attempt.end not in UNCOUNTED and attempt.end not in _UNUSABLE]
    if len(counted) >= limits.attempts:
        return GiveUp(_exhausted(run, counted))
    if counted and counted[-1] is tried[-1] and (until := _after(counted, limits)) > now:
        return Pause(
            until, Doing.BACKOFF, f"attempt {len(counted)} of {limits.attempts} {how_it_ended(run, counted[-1])}"
        )
    return _agent(run, tried, limits, now)


def series(run: Run) -> tuple[Attempt, ...]:
    """The attempts since the task last came to its worker."""
    began = max((step.at for step in run.history if step.event in _COMES_TO_WORKER), default=run.created_at)
    return tuple(attempt for attempt in run.attempts if attempt.started_at >= began)


def cost(run: Run) -> float:
    """What the attempts of this generation have cost, in dollars, as far as their agents say."""
    began = max((step.at for step in run.history if step.event is Event.RETRY), default=run.created_at)
    return sum(attempt.cost_usd or 0.0 for attempt in run.attempts if attempt.started_at >= began)


def _exhausted(run: Run, counted: Sequence[Attempt]) -> str:
    last, how = counted[-1], how_it_ended(run, counted[-1])
    if len(counted) == 1:
        return f"{last.agent} {how}"
    return f"{len(counted)} attempts ended without `done`; the last, by {last.agent}, {how}"


def _after(counted: Sequence[Attempt], limits: Limits) -> datetime:
    ended = counted[-1].ended_at or counted[-1].started_at
    return ended + timedelta(seconds=min(limits.backoff * 2.0 ** (len(counted) - 1), LONGEST_BACKOFF))


def _agent(run: Run, tried: Sequence[Attempt], limits: Limits, now: datetime) -> Begin | Pause | GiveUp:
    """Another attempt by the first of the task's agents that can be used now; else until when, or why none ever can."""
    soonest: Pause | None = None
    problem = "it has no agent"
    for agent in (run.agent or "", *run.fallbacks):
        own = [attempt for attempt in tried if attempt.agent == agent]
        if own and own[-1].end in _UNUSABLE:
            problem = f"{agent} {how_it_ended(run, own[-1])}"
            continue
        limited = _last_limited(own)
        if not limited:
            return Begin(agent)
        until = _served_again(limited, limits)
        first = limited[0].ended_at or limited[0].started_at
        if (until - first).total_seconds() > limits.limit_wait:
            waited = format_duration(limits.limit_wait)
            problem = f"{agent} {how_it_ended(run, limited[-1])}; limits.limit_wait is {waited}"
            continue
        if until <= now:
            return Begin(agent)
        if soonest is None or until < soonest.until:
            soonest = Pause(until, Doing.LIMIT, f"{agent} {how_it_ended(run, limited[-1])}")
    return soonest or GiveUp(problem)


def _last_limited(own: Sequence[Attempt]) -> list[Attempt]:
    """The attempts at the end of `own` that were not served, one after the other."""
    limited: list[Attempt] = []
    for attempt in reversed(own):
        if attempt.end is not End.LIMITED:
            break
        limited.insert(0, attempt)
    return limited


def _served_again(limited: Sequence[Attempt], limits: Limits) -> datetime:
    last = limited[-1]
    if last.retry_at is not None:
        return last.retry_at
    pause = limits.backoff * _LIMIT_BACKOFF * 2.0 ** (len(limited) - 1)
    return (last.ended_at or last.started_at) + timedelta(seconds=min(pause, _LONGEST_LIMIT_BACKOFF))
