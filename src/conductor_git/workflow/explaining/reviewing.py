"""Why a task is not approved: whose word it has, and whose it waits for."""

from __future__ import annotations

from collections.abc import Iterator

from conductor_git.names import short
from conductor_git.review import Review, Verdict, approvals, current, is_same_reviewer
from conductor_git.run import Run
from conductor_git.wording import counted, listed
from conductor_git.workflow.explaining.commands import branch_again, ours
from conductor_git.workflow.explaining.facts import Explanation, Facts
from conductor_git.workflow.explaining.lines import foresight, moved


def in_review(facts: Facts) -> Explanation:
    run = facts.run
    have = approvals(facts.reviews, run.head_commit) if run.head_commit else ()
    waits_for = f"reviewers: {len(have)} of {run.reviews_required} approvals"
    because = (*moved(facts), *_said(facts, have), *map(_at_work, facts.reviewers), *foresight(facts))
    return Explanation(waits_for, because, _moves(facts, have))


def _said(facts: Facts, have: tuple[str, ...]) -> Iterator[str]:
    run = facts.run
    if facts.unreadable:
        yield facts.unreadable
    if have:
        left = run.reviews_required - len(have)
        more = f"; {counted(left, 'approval')} by somebody else to come" if left > 0 else ""
        yield f"{listed(have)} approved {short(run.head_commit)}{more}"
    for review in current(facts.reviews):
        if review.commit != run.head_commit:
            yield f"what {review.reviewer} said ({_word(review)}) was of {short(review.commit)}, an older commit"
        elif review.verdict is Verdict.REQUEST_CHANGES:
            yield f"{review.reviewer} asked for changes of {short(review.commit)}"


def _word(review: Review) -> str:
    return "approve" if review.verdict is Verdict.APPROVE else "request changes"


def _at_work(reviewer: Run) -> str:
    whose = f" ({reviewer.agent})" if reviewer.agent else ""
    return f"{reviewer.task_id}{whose} is to review it, and is {reviewer.state}"


def _moves(facts: Facts, have: tuple[str, ...]) -> tuple[str, ...]:
    run = facts.run
    if facts.tip is None:
        return (branch_again(run),)
    if facts.tip != run.head_commit:
        return hand_in(facts)
    look = (ours("diff", run), *(ours("show", reviewer) for reviewer in facts.reviewers))
    if any(is_same_reviewer(facts.person, name) for name in have) and len(have) < run.reviews_required:
        return look  # one more word of the same person adds nothing
    return (*look, ours("approve", run))


def hand_in(facts: Facts) -> tuple[str, ...]:
    """What puts the commit that the branch is at into review, and how to see what it brings."""
    run = facts.run
    if not facts.tree.is_there or facts.tree.under_way or facts.tree.head:
        return (ours("diff", run),)
    return (ours("done", run, "--wip") if facts.tree.uncommitted else ours("done", run), ours("diff", run))
