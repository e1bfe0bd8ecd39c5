"""Why a reviewer's task has given no verdict yet, or which one it gave."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from conductor_git.names import short
from conductor_git.review import Verdict
from conductor_git.run import Event, State
from conductor_git.wording import age
from conductor_git.workflow.explaining.agent import agent_lines, is_at_work
from conductor_git.workflow.explaining.commands import ours
from conductor_git.workflow.explaining.facts import Explanation, Facts


def verdict(facts: Facts) -> Explanation:
    """`reviews` of `facts` are those of the task that is to be judged."""
    run = facts.run
    if run.state is State.COMPLETED:
        moves = (f"conductor-git show {run.review_of}",)
        return Explanation("nothing: its verdict is given", tuple(_given(facts)), moves)
    if not facts.tree.is_there:
        because = (f"its worktree {run.worktree} is gone", *_judged(facts))
        return Explanation("a worktree", because, (f"{ours('cancel', run)} && {ours('retry', run)}",))
    because = (*_judged(facts), *agent_lines(facts))
    return Explanation(f"its verdict on {run.review_of}", because, _moves(facts))


def _is_superseded(facts: Facts) -> bool:
    """The commit that it was made for is not the one in review any more."""
    return facts.judged is None or facts.judged.head_commit != facts.run.base_commit


def _is_reviewable(facts: Facts) -> bool:
    return facts.judged is not None and facts.judged.state in (State.IN_REVIEW, State.APPROVED)


def _judged(facts: Facts) -> Iterator[str]:
    run, judged = facts.run, facts.judged
    if judged is None:
        yield f"there is no task {run.review_of} any more"
    elif not _is_reviewable(facts):
        yield f"{judged.task_id} is {judged.state}: nothing of it is in review"
    elif _is_superseded(facts):
        now = short(judged.head_commit)
        yield f"{judged.task_id} has {now} in review now, and this is about {short(run.base_commit)}"


def _moves(facts: Facts) -> tuple[str, ...]:
    run = facts.run
    if _is_superseded(facts) or not _is_reviewable(facts):
        return (ours("cancel", run),)
    if run.state is State.ASSIGNED:
        return (ours("start", run),)
    if is_at_work(facts):
        return (ours("log", run),)
    again = (ours("resume", run),) if run.has_agent else ()
    return (f"cd {quote(run.worktree)} && conductor-git approve {run.review_of}", *again)


def _given(facts: Facts) -> Iterator[str]:
    run = facts.run
    step = next((step for step in reversed(run.history) if step.event is Event.REVIEWED), run.history[-1])
    mine = next((review for review in reversed(facts.reviews) if review.reviewer == run.task_id), None)
    word = "" if mine is None else " approves" if mine.verdict is Verdict.APPROVE else " asks for changes of"
    yield f"its verdict on {run.review_of}:{word} {short(mine.commit if mine else run.base_commit)}"
    yield f"by {step.by} {age((facts.now - step.at).total_seconds())} ago"
