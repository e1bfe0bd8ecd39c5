"""What came of a task that has ended, and what can still be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote
from typing import Final

from conductor_git.names import short
from conductor_git.run import Event, Outcome, Run, State, Step
from conductor_git.wording import age, listed
from conductor_git.workflow.explaining.commands import branch_again, ours
from conductor_git.workflow.explaining.facts import Explanation, Facts, PushRefused
from conductor_git.workflow.explaining.lines import ending

_READ: Final = "conductor-git bus read --task {task} --type FACT --tail 1"


def ended(facts: Facts) -> Explanation:
    match facts.run.state:
        case State.COMPLETED:
            return _completed(facts)
        case State.FAILED:
            return _failed(facts)
        case _:
            return _cancelled(facts)


def _completed(facts: Facts) -> Explanation:
    run = facts.run
    if run.history[-1].event is Event.ANSWERED:
        step = run.history[-1]
        because = (f"{run.agent} answers and does not edit, so that there is nothing to land", _said(facts, step))
        return Explanation("nothing: it has answered", because, (_READ.format(task=run.task_id), ours("log", run)))
    if run.task_id in facts.landing:
        waiting = "its undoing, which is under way"
        return Explanation(waiting, tuple(_landed(facts)), (f"conductor-git bus read --task {run.task_id}",))
    if facts.push is not None:
        return Explanation(
            "a push: it has landed here alone", (*_landed(facts), facts.push.said), _pushes(facts.push, run)
        )
    left = f"its worktree {run.worktree} is still there"
    moves = (*([ours("merge", run)] if facts.tree.is_there else []), *_undo(run))
    return Explanation("nothing: it has landed", (*_landed(facts), *([left] if facts.tree.is_there else [])), moves)


def _landed(facts: Facts) -> Iterator[str]:
    run, step = facts.run, _step(facts.run, Event.MERGE)
    if run.landing is not None and run.landing.outcome is Outcome.ALREADY_LANDED:
        yield f"{run.target} held everything of {short(run.head_commit)} already when it was to land"
    else:
        how = f" by {run.landing.strategy}" if run.landing else ""
        yield f"{short(run.head_commit)} landed on {run.target} as {short(run.merge_commit)}{how}"
    yield f"by {step.by} {_ago(facts, step)}"
    if facts.landing and run.task_id not in facts.landing:
        yield f"the landing of {listed(facts.landing)} has {run.target} now"


def _pushes(refused: PushRefused, run: Run) -> tuple[str, ...]:
    again = f"git push {quote(refused.remote)} {quote(f'{run.target_ref}:{run.target_ref}')}"
    return (*([again] if refused.remote else []), *_undo(run))


def _undo(run: Run) -> tuple[str, ...]:
    brought = run.landing is not None and run.landing.outcome is not Outcome.ALREADY_LANDED
    return (ours("undo", run),) if brought else ()


def _failed(facts: Facts) -> Explanation:
    run = facts.run
    step = run.history[-1]
    because = (*_reason(facts, step), *_attempt(facts), *ending(facts.log), *_left(facts))
    is_of_errors = facts.log is None or facts.log.path.endswith("stderr.log")
    looks = (ours("log", run, *(["--stderr"] if is_of_errors else [])),) if run.attempts else ()
    return Explanation(f"nothing: {run.reason or 'no reason was given'}", because, (*looks, *_again(facts)))


def _cancelled(facts: Facts) -> Explanation:
    run = facts.run
    step = run.history[-1]
    if step.event is Event.UNDO and run.undo is not None:
        undone = short(run.undo.merge_commit)
        because = [
            f"it landed on {run.target} as {short(run.merge_commit)}, and {undone} took that back",
            f"by {step.by} {_ago(facts, step)}",
        ]
        if facts.tip is not None:
            because.append(f"its branch {run.branch} is at {short(facts.tip)}: a retry goes on from there")
        return Explanation(f"nothing: {run.reason or 'its landing was undone'}", tuple(because), _again(facts))
    because = [*_reason(facts, step), *_left(facts)]
    return Explanation(f"nothing: {run.reason or 'no reason was given'}", tuple(because), _again(facts))


def _said(facts: Facts, step: Step) -> str:
    return f"by {step.by} {_ago(facts, step)}"


def _reason(facts: Facts, step: Step) -> Iterator[str]:
    yield f"{step.state} by {step.by} {_ago(facts, step)}" + ("" if facts.run.reason else ", and no reason was given")


def _attempt(facts: Facts) -> Iterator[str]:
    attempt = facts.run.last_attempt
    if attempt is not None and attempt.end is not None:
        how = f", signal {attempt.signal}" if attempt.signal else ""
        how = how or (f", exit code {attempt.exit_code}" if attempt.exit_code is not None else "")
        yield f"the last attempt of its agent {attempt.agent}: {attempt.end}{how}"


def _left(facts: Facts) -> Iterator[str]:
    run = facts.run
    if facts.tip is not None and facts.tip != run.base_commit:
        yield f"its commits are on {run.branch}, which is at {short(facts.tip)}"
    if facts.tip is None and run.review_of is None:
        last = short(run.head_commit or run.base_commit)
        yield f"its branch {run.branch} is gone; the last commit on record is {last}"
    if not facts.tree.is_there:
        yield f"its worktree {run.worktree} is gone; a retry makes it again"


def _again(facts: Facts) -> tuple[str, ...]:
    run, again = facts.run, ours("retry", facts.run)
    if facts.tip is None and not facts.tree.is_there and run.review_of is None:
        return (f"{branch_again(run)} && {again}",)
    return (again,)


def _step(run: Run, event: Event) -> Step:
    return next((step for step in reversed(run.history) if step.event is event), run.history[-1])


def _ago(facts: Facts, step: Step) -> str:
    return f"{age((facts.now - step.at).total_seconds())} ago"
