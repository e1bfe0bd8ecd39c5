"""Why a task is not handed in: not begun, at work, or sent back."""

from __future__ import annotations

from collections.abc import Iterator

from conductor_git.names import short
from conductor_git.review import Review, Verdict
from conductor_git.run import Event, Outcome, Step, Strategy
from conductor_git.wording import counted, listed
from conductor_git.workflow.explaining.agent import agent_lines, is_at_work
from conductor_git.workflow.explaining.commands import (
    branch_again,
    conclude,
    git_in,
    join,
    ours,
    save,
    start_over,
)
from conductor_git.workflow.explaining.facts import Explanation, Facts
from conductor_git.workflow.explaining.lines import ending, foresight, within_files


def assigned(facts: Facts) -> Explanation:
    run = facts.run
    if not facts.tree.is_there:
        return Explanation("a worktree", tuple(_files(facts)), (start_over(run, facts.tip),))
    if is_at_work(facts):
        return Explanation("its agent to start", (*agent_lines(facts), *foresight(facts)), (ours("stop", run),))
    if run.has_agent:
        because = (
            *_setup(facts),
            "its agent was not started",
            *(agent_lines(facts) if run.supervision is not None else ()),
        )
        return Explanation("its worker to start", (*because, *foresight(facts)), (ours("resume", run),))
    because = (*_setup(facts), "it has no agent of ours: whoever takes it up says so")
    return Explanation("its worker to start", (*because, *foresight(facts)), (ours("start", run),))


def _setup(facts: Facts) -> Iterator[str]:
    if facts.tree.is_to_be_set_up:
        yield "its setup has not run to its end: what starts the worker runs it first"


def working(facts: Facts) -> Explanation:
    because = (*_sent_back(facts), *agent_lines(facts), *_files(facts), *foresight(facts))
    return Explanation(_waits_for(facts), because, _moves(facts))


def _waits_for(facts: Facts) -> str:
    run, last = facts.run, facts.run.history[-1]
    if last.event is Event.BOUNCE and run.landing is not None:
        return f"its worker to mend the {run.landing.outcome}" + within_files(run.landing.files)
    if last.event is Event.REQUEST_CHANGES:
        return f"its worker to make the changes that {last.by} asked for"
    if facts.health == "dead":
        return "a person: its agent is gone without handing anything in"
    if facts.supervised and (run.last_attempt is None or run.last_attempt.ended_at is not None):
        return "its next attempt"
    if facts.health == "detached" and run.attempts:
        return "a person: its agent ended without handing anything in"
    return "its worker to hand in a commit"


def _sent_back(facts: Facts) -> Iterator[str]:
    run, last = facts.run, facts.run.history[-1]
    if last.event is Event.REQUEST_CHANGES:
        yield from _asked(facts, last)
    elif _is_bounced(facts, Outcome.GATE_FAILED):
        yield from _red_gate(facts)
    elif run.landing is not None and _is_bounced(facts, Outcome.CONFLICT):
        yield f"{short(last.commit)} conflicted with {run.target}{within_files(run.landing.files)} when it was to land"
        if not _conflicts_still(facts):
            yield f"what its branch has now does not conflict with {run.target} any more"


def _is_bounced(facts: Facts, outcome: Outcome) -> bool:
    landing = facts.run.landing
    return facts.run.history[-1].event is Event.BOUNCE and landing is not None and landing.outcome is outcome


def _asked(facts: Facts, step: Step) -> Iterator[str]:
    review = _review_of(facts, step)
    comments = f" with {counted(len(review.comments), 'line comment')}" if review and review.comments else ""
    said = f": {review.body.strip().partition(chr(10))[0]}" if review and review.body.strip() else ""
    yield f"{step.by} asked for changes of {short(step.commit)}{comments}{said}"


def _review_of(facts: Facts, step: Step) -> Review | None:
    asked = (review for review in reversed(facts.reviews) if review.verdict is Verdict.REQUEST_CHANGES)
    return next((review for review in asked if review.commit == step.commit), None)


def _red_gate(facts: Facts) -> Iterator[str]:
    landing = facts.run.landing
    failed = next((gate for gate in landing.gates if not gate.passed), None) if landing else None
    if failed is not None:
        seconds = f" after {failed.seconds:.0f} s"
        how = f"ran into its time limit{seconds}" if failed.exit_code is None else f"exit code {failed.exit_code}"
        yield f"the gate {failed.name} is red on the merged tree ({how}): {failed.command}"
        yield from ending(facts.log)


def _files(facts: Facts) -> Iterator[str]:
    run, tree = facts.run, facts.tree
    if facts.tip is None:
        yield f"its branch {run.branch} is gone"
    if not tree.is_there:
        committed = f"; what was committed is on {run.branch}" if facts.tip is not None else ""
        yield f"its worktree {run.worktree} is gone{committed}"
    elif tree.trouble:
        yield f"its worktree cannot be looked at: {tree.trouble}"
    elif tree.under_way:
        yield f"{tree.under_way} is under way in {run.worktree}"
    elif tree.head:
        yield f"HEAD of {run.worktree} is at {tree.head}, not on its branch"
    elif tree.uncommitted:
        names = listed(tree.uncommitted)
        yield f"its worktree has {counted(len(tree.uncommitted), 'uncommitted file')}: {names}"
    elif not _has_own_commit(facts) and facts.tip is not None:
        yield f"its branch has no commit of its own on top of {run.target}"


def _has_own_commit(facts: Facts) -> bool:
    return facts.tip is not None and facts.tip != facts.run.base_commit and facts.ahead != 0


def _conflicts_still(facts: Facts) -> bool:
    if facts.was_foreseen:
        return bool(facts.target_files)
    return facts.tip == facts.run.history[-1].commit


def _moves(facts: Facts) -> tuple[str, ...]:
    run, tree = facts.run, facts.tree
    if is_at_work(facts):
        orphaned = [] if facts.supervised else [ours("resume", run)]
        return (ours("log", run), *orphaned, *([ours("stop", run)] if facts.health == "slow" else []))
    if not tree.is_there:
        return (start_over(run, facts.tip),)
    if facts.tip is None:
        return (branch_again(run),)
    return _astray(facts) or (*_by_hand(facts), *_by_agent(facts))


def _astray(facts: Facts) -> tuple[str, ...]:
    """What brings the worktree back onto its branch with nothing under way; empty where it is."""
    run, tree = facts.run, facts.tree
    if tree.under_way.endswith(("merge", "rebase")):
        return (git_in(run.worktree, "status"), *conclude(run, tree.under_way), ours("done", run))
    if tree.under_way:
        return (git_in(run.worktree, "status"),)
    return (git_in(run.worktree, "switch", run.branch),) if tree.head else ()


def _by_hand(facts: Facts) -> tuple[str, ...]:
    run, last, is_dirty = facts.run, facts.run.history[-1], bool(facts.tree.uncommitted)
    if run.landing is not None and _is_bounced(facts, Outcome.CONFLICT) and _conflicts_still(facts):
        return _joined(facts, run.landing.strategy)
    if is_dirty:
        return (ours("done", run, "--wip"),)
    if last.event is Event.REQUEST_CHANGES and facts.tip == last.commit:
        return (f"conductor-git bus read --task {run.task_id} --type REVIEW", git_in(run.worktree, "status"))
    return (ours("done", run),) if _has_own_commit(facts) else (git_in(run.worktree, "status"),)


def _by_agent(facts: Facts) -> tuple[str, ...]:
    """The agent once more, on the branch as it is."""
    run = facts.run
    return (ours("resume", run),) if run.has_agent else ()


def resolving(facts: Facts) -> tuple[str, ...]:
    """What settles a conflict that a landing would run into."""
    landing = facts.run.landing
    return _astray(facts) or _joined(facts, landing.strategy if landing else Strategy.MERGE)


def _joined(facts: Facts, strategy: Strategy) -> tuple[str, ...]:
    return (*([save(facts.run)] if facts.tree.uncommitted else []), *join(facts.run, strategy))
