"""Why an approved task has not landed: its place in the queue, what it needs, what blocks, what is under way."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from conductor_git.names import short
from conductor_git.review import approvals
from conductor_git.run import Outcome, Phase
from conductor_git.wording import counted, listed
from conductor_git.workflow.explaining.commands import branch_again, git_in, ours, target_again
from conductor_git.workflow.explaining.facts import Explanation, Facts
from conductor_git.workflow.explaining.lines import foresight, moved, within_files
from conductor_git.workflow.explaining.reviewing import hand_in
from conductor_git.workflow.explaining.working import resolving


def approved(facts: Facts) -> Explanation:
    because = (*moved(facts), *_whose_word(facts), *_under_way(facts), *_blocked(facts), *_queue(facts))
    return Explanation(_waits_for(facts), (*because, *foresight(facts)), _moves(facts))


def is_under_way(facts: Facts) -> bool:
    return facts.run.task_id in facts.landing


def _waits_for(facts: Facts) -> str:
    run, landing = facts.run, facts.run.landing
    if is_under_way(facts):
        return "its landing, which is under way"
    if facts.tip != run.head_commit:
        return "its branch, which is gone" if facts.tip is None else "a review of what its branch is at now"
    if facts.unmet:
        return f"{listed(facts.unmet)} to land first"
    if landing is not None and landing.outcome is Outcome.BLOCKED:
        return f"the landing, last {Outcome.BLOCKED}" + within_files(landing.files)
    if facts.target_files:
        return f"its worker: it would conflict with {run.target}"
    return "the landing" if facts.position is None else f"the landing: number {facts.position} in the queue"


def _whose_word(facts: Facts) -> Iterator[str]:
    run = facts.run
    if facts.unreadable:
        yield facts.unreadable
    elif run.approved_commit is not None and (names := approvals(facts.reviews, run.approved_commit)):
        yield f"{listed(names)} approved {short(run.approved_commit)}"


def _under_way(facts: Facts) -> Iterator[str]:
    landing = facts.run.landing
    if is_under_way(facts):
        is_publishing = landing is not None and landing.outcome is None and landing.phase is Phase.PUBLISH
        yield "it is being published" if is_publishing else "it is being merged in memory, or its gates are running"
    elif facts.landing:
        yield f"the landing of {listed(facts.landing)} has {facts.run.target} now"


def _blocked(facts: Facts) -> Iterator[str]:
    landing, there = facts.run.landing, facts.in_the_way
    if landing is None or landing.outcome is not Outcome.BLOCKED:
        return
    if not landing.files:
        yield f"the last landing found {facts.run.target} or a checkout of it in use, and moved nothing"
    elif there is not None and there.files:
        yield f"the checkout {there.checkout} has changes of its own{within_files(there.files)}"
    elif there is not None:
        yield f"nothing is in the way any more{within_files(landing.files)}"


def _queue(facts: Facts) -> Iterator[str]:
    if facts.ahead_in_queue:
        count = counted(len(facts.ahead_in_queue), "task")
        yield f"{count} in the queue of {facts.run.target} before it: {listed(facts.ahead_in_queue)}"


def _moves(facts: Facts) -> tuple[str, ...]:
    run = facts.run
    if is_under_way(facts):
        return (f"conductor-git bus read --task {run.task_id}",)
    if facts.tip is None:
        return (branch_again(run),)
    if facts.tip != run.head_commit:
        return hand_in(facts)
    if facts.unmet:
        return tuple(f"conductor-git show {need}" for need in facts.unmet)
    return _landing(facts)


def _landing(facts: Facts) -> tuple[str, ...]:
    run, there = facts.run, facts.in_the_way
    if facts.target_tip is None:
        return (target_again(run), ours("merge", run))
    if there is not None and there.files:
        return (_put_aside(there.checkout, there.files), ours("merge", run))
    return resolving(facts) if facts.target_files and facts.tree.is_there else (ours("merge", run),)


def _put_aside(checkout: str, files: tuple[str, ...]) -> str:
    """A stash of exactly what is in the way, which `git stash pop` brings back on top of what has landed."""
    paths = " ".join(map(quote, files))
    return f"{git_in(checkout, '--literal-pathspecs', 'stash', 'push', '--all')} -- {paths}"
