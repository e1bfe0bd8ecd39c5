"""note: the one thing about a task that its state does not say."""

from __future__ import annotations

from conductor_git.run import Doing, Event, Outcome, Run, State
from conductor_git.workflow.look import Row


def note(row: Row) -> str:
    """The one thing about a task that its state does not say."""
    run = row.run
    if run.review_of is not None:
        return f"reviews {run.review_of}"
    match run.state:
        case State.ASSIGNED | State.WORKING:
            return _supervised(row) or _sent_back(run)
        case State.APPROVED:
            return _queued(row)
        case State.CANCELLED if run.undo is not None:
            return "undone"
        case _:
            return ""


def _supervised(row: Row) -> str:
    """What its agent waits for, or that nobody is left to see to it."""
    supervision = row.run.supervision
    if supervision is None:
        return ""
    if not row.supervised:
        return "supervisor gone"
    at = f" {supervision.until:%H:%M}Z" if supervision.until is not None else ""
    words = {
        Doing.SLOT: "waits for a place",
        Doing.SETUP: "is being set up",
        Doing.BACKOFF: f"next attempt{at}",
        Doing.LIMIT: f"not served until{at}" if at else "not served",
    }
    return words.get(supervision.doing, "")


def _sent_back(run: Run) -> str:
    last = run.history[-1].event
    if last is Event.BOUNCE and run.landing is not None:
        return str(run.landing.outcome)
    return "changes requested" if last is Event.REQUEST_CHANGES else ""


def _queued(row: Row) -> str:
    if row.run.landing is not None and row.run.landing.outcome is Outcome.BLOCKED:
        return str(Outcome.BLOCKED)
    if row.unmet:
        return f"needs {row.unmet[0]}" + (f" +{len(row.unmet) - 1}" if len(row.unmet) > 1 else "")
    return "" if row.position is None else f"{row.position}. in the queue"
