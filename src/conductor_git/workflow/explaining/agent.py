"""How the agent of a task is doing."""

from __future__ import annotations

from collections.abc import Iterator

from conductor_git.run import Attempt, Doing, Event, Run, how_it_ended
from conductor_git.wording import age
from conductor_git.workflow.explaining.facts import Facts

_BEGUN = (Event.START, Event.SPAWN, Event.RETRY)


def is_at_work(facts: Facts) -> bool:
    """Whether an agent lives, or a supervisor that will start one."""
    return facts.health in ("alive", "slow")


def agent_lines(facts: Facts) -> Iterator[str]:
    run, attempt = facts.run, facts.run.last_attempt
    if attempt is not None and attempt.ended_at is None:
        yield from _unended(facts, attempt)
    else:
        yield from _ended(facts, attempt)
        yield from _waits(run) if facts.supervised else ()
    if run.supervision is not None and not facts.supervised:
        yield "its supervisor is gone, so that nobody sees to it"


def _unended(facts: Facts, attempt: Attempt) -> Iterator[str]:
    if not is_at_work(facts):
        yield f"its agent {attempt.agent} (pid {attempt.pid or 'unknown'}) is gone, and nobody saw how it ended"
        return
    sign = f", its last sign of life {age(facts.last_beat)} ago" if facts.last_beat is not None else ""
    alive = f"is alive (pid {attempt.pid})" if attempt.pid is not None else "is being started"
    yield f"its agent {attempt.agent} {alive}{sign}"


def _ended(facts: Facts, attempt: Attempt | None) -> Iterator[str]:
    if attempt is not None:
        ended = f", {age((facts.now - attempt.ended_at).total_seconds())} ago" if attempt.ended_at else ""
        before = ", before the task was sent back" if _was_sent_back_since(facts.run, attempt) else ""
        yield f"its agent {attempt.agent} {how_it_ended(facts.run, attempt)}{ended}{before}"
    elif not facts.supervised:
        yield "no agent of ours works on it"


def _waits(run: Run) -> Iterator[str]:
    supervision = run.supervision
    if supervision is not None and supervision.doing is not Doing.ATTEMPT:
        until = f" until {supervision.until:%Y-%m-%d %H:%M:%S} UTC" if supervision.until is not None else ""
        yield f"its supervisor waits{until}: {supervision.why}"


def _was_sent_back_since(run: Run, attempt: Attempt) -> bool:
    last = run.history[-1]
    return last.event not in _BEGUN and attempt.ended_at is not None and attempt.ended_at < last.at
