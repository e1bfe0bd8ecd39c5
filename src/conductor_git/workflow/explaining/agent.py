"""How the agent of a task is doing."""

from __future__ import annotations

from collections.abc import Iterator

from conductor_git.run import Event
from conductor_git.workflow.explaining.facts import Facts
from conductor_git.workflow.explaining.lines import span

_BEGUN = (Event.START, Event.SPAWN, Event.RETRY)


def is_at_work(facts: Facts) -> bool:
    return facts.health in ("alive", "slow")


def agent_lines(facts: Facts) -> Iterator[str]:
    run, attempt = facts.run, facts.run.last_attempt
    if attempt is None:
        yield "no agent of ours works on it"
    elif is_at_work(facts):
        sign = f", its last sign of life {span(facts.last_beat)} ago" if facts.last_beat is not None else ""
        yield f"its agent {attempt.agent} is alive (pid {attempt.pid}){sign}"
    elif facts.health == "dead":
        yield f"its agent {attempt.agent} (pid {attempt.pid or 'unknown'}) is gone, and nobody saw how it ended"
    else:
        how = f"signal {attempt.signal}" if attempt.signal else f"exit code {attempt.exit_code}"
        ended = f" {span((facts.now - attempt.ended_at).total_seconds())} ago" if attempt.ended_at else ""
        after = "" if run.history[-1].event in _BEGUN else ", before the task was sent back"
        yield f"its agent {attempt.agent} ended with {how}{ended}{after}"
