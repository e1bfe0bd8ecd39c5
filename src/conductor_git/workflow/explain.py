"""explain: why a task stands where it stands, and what moves it (no I/O)."""

from __future__ import annotations

from conductor_git.run import State
from conductor_git.workflow.explaining.facts import Explanation, Facts


def explain(facts: Facts) -> Explanation:
    """Whom or what the task of `facts` waits for, why, and the commands that move it on.

    A command is there only where it runs and does what it says, as far as `facts` can tell.
    """
    why = _why(facts)
    if facts.question is None:
        return why
    from conductor_git.workflow.explaining.commands import answer

    asks = f"its worker asks: {facts.question.text}"
    moves = (answer(facts.run, facts.question.msg_id), *why.moves)
    return Explanation("an answer to its worker's question", (asks, *why.because), moves)


def _why(facts: Facts) -> Explanation:
    # Each state has a module that is loaded when a task is in it: `show` is asked of one task at a time.
    if facts.run.review_of is not None and facts.run.state not in (State.FAILED, State.CANCELLED):
        from conductor_git.workflow.explaining.verdict import verdict

        return verdict(facts)
    match facts.run.state:
        case State.ASSIGNED | State.WORKING:
            from conductor_git.workflow.explaining import working

            return working.assigned(facts) if facts.run.state is State.ASSIGNED else working.working(facts)
        case State.IN_REVIEW:
            from conductor_git.workflow.explaining.reviewing import in_review

            return in_review(facts)
        case State.APPROVED:
            from conductor_git.workflow.explaining.approved import approved

            return approved(facts)
        case _:
            from conductor_git.workflow.explaining.ended import ended

            return ended(facts)
