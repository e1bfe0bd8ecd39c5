"""Whether a task that is to be worked on and has no supervisor gets another by itself (no I/O)."""

from __future__ import annotations

from conductor_git.run import Event, Run, State
from conductor_git.workflow.planning.actions import Action, Resume
from conductor_git.workflow.planning.facts import Facts, Stands, attempts_of, rounds_of, stopped_at
from conductor_git.workflow.planning.planned import Planned
from conductor_git.workflow.planning.standing import Standing, waits

_SENT_BACK = (Event.REQUEST_CHANGES, Event.BOUNCE)


def resumed(planned: Planned, facts: Facts, run: Run) -> Standing | None:
    """That it gets one, or why a person has to see to it; None where the task has one, or is not to be worked on.

    What somebody stops while the plan runs stays stopped. How often an agent that dies is launched again, its
    supervisor decides.
    """
    if run.state not in (State.ASSIGNED, State.WORKING) or run.task_id in facts.alive:
        return None
    if _is_sent_back(run) and rounds_of(run) > planned.rounds:
        return waits(f"went back to its worker {rounds_of(run)} times; the last time it {_last_word(run)}")
    stop = stopped_at(run)
    if stop is not None and stop >= facts.since:
        return waits(f"its agent was stopped; conductor-git resume {run.task_id}")
    action = _resume(run)
    if action in facts.tried:
        return waits(f"could not be resumed: {facts.tried[action] or 'its supervisor ended without an attempt'}")
    return Standing(Stands.PENDING, "waits for a place", (action,))


def left_alone(facts: Facts, run: Run) -> bool:
    """Whether its last attempt has no recorded end and no supervisor: whatever it started may be alive."""
    attempt = run.last_attempt
    return attempt is not None and attempt.ended_at is None and run.task_id not in facts.alive


def tidied(facts: Facts, run: Run) -> tuple[Action, ...]:
    """A supervisor for a task that needs none for its work any more, to end what its last one left."""
    if run.state in (State.ASSIGNED, State.WORKING) or not left_alone(facts, run):
        return ()
    return (_resume(run),)


def _resume(run: Run) -> Resume:
    lost = run.supervision.process if run.supervision else None
    return Resume(run.task_id, len(run.history), attempts_of(run), _why(run), lost)


def _why(run: Run) -> str:
    if _is_sent_back(run):
        return f"it {_last_word(run)}"
    return "its supervisor is gone" if attempts_of(run) else "its agent was never started"


def _is_sent_back(run: Run) -> bool:
    return run.history[-1].event in _SENT_BACK


def _last_word(run: Run) -> str:
    step = run.history[-1]
    said = (step.note or "").partition("\n")[0]
    what = "did not land" if step.event is Event.BOUNCE else f"was to be changed, by the word of {step.by}"
    return f"{what}: {said}" if said else what
