"""Plans and records of their tasks, made by hand, for tests of what a plan's runner decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from conductor_git.config.plan import Approval, Policy
from conductor_git.names import CommitId, RunId, TaskId
from conductor_git.review import Review, Verdict
from conductor_git.run import Attempt, Doing, End, Event, ProcessId, Run, State, Step, Supervision, advance
from conductor_git.workflow.agent_review.naming import reviewer_id
from conductor_git.workflow.planning.facts import Facts
from conductor_git.workflow.planning.planned import Planned, PlannedTask

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLAN = "checkout"
HEAD = CommitId("a" * 40)
NEXT = CommitId("b" * 40)
NEVER, GATES = Approval(Policy.NEVER), Approval(Policy.GATES)
SUPERVISOR = ProcessId(4242, 1.0)


def quorum(number: int) -> Approval:
    return Approval(Policy.QUORUM, number)


def task(task_id: str, *needs: str, **more: Any) -> PlannedTask:
    settled: dict[str, Any] = {"agents": ("fast",), "approval": NEVER, "reviewers": (), "reviews_required": 1} | more
    return PlannedTask(TaskId(task_id), "do it", None, target="main", needs=tuple(map(TaskId, needs)), **settled)


def plan(*tasks: PlannedTask, **more: Any) -> Planned:
    return Planned(PLAN, tasks, **{"workers": 8, "rounds": 3, **more})


def run(task_id: str, *events: Event, head: CommitId = HEAD, **more: Any) -> Run:
    """A record of the plan's that has been through `events`, a minute each, and `more` of it."""
    fresh = Run(
        project_id="acme",
        task_id=TaskId(task_id),
        title=task_id,
        state=State.ASSIGNED,
        branch=f"worker/{task_id}",
        target="main",
        base_commit=CommitId("0" * 40),
        worktree=f"/nowhere/{task_id}",
        agent="fast",
        plan=PLAN,
        created_at=NOON,
        updated_at=NOON,
        history=(Step(1, Event.SPAWN, State.ASSIGNED, NOON, "coordinator"),),
    )
    for number, event in enumerate(events, 1):
        fresh = advance(fresh, event, at=NOON + timedelta(minutes=number), by="somebody", commit=head)
    return replace(fresh, head_commit=head if Event.DONE in events else None, **more)


START, DONE, APPROVE, MERGE = Event.START, Event.DONE, Event.APPROVE, Event.MERGE
FAIL, CANCEL, CHANGES, BOUNCE = Event.FAIL, Event.CANCEL, Event.REQUEST_CHANGES, Event.BOUNCE


def working(task_id: str, **more: Any) -> Run:
    return run(task_id, START, **more)


def in_review(task_id: str, **more: Any) -> Run:
    return run(task_id, START, DONE, **more)


def landed(task_id: str) -> Run:
    return run(task_id, START, DONE, APPROVE, MERGE)


def failed(task_id: str, reason: str = "it is too hard") -> Run:
    return run(task_id, START, FAIL, reason=reason)


def reviewer(of: str, number: int, agent: str, *events: Event, commit: CommitId = HEAD, **more: Any) -> Run:
    """The record of a reviewer's task."""
    found = run(reviewer_id(TaskId(of), number), *events, head=commit, agent=agent, review_of=TaskId(of))
    return replace(found, base_commit=commit, head_commit=None, **more)


def review(
    name: str, minute: float, *, commit: CommitId = HEAD, verdict: Verdict = Verdict.APPROVE, number: int = 1
) -> Review:
    return Review(number, name, verdict, commit, "", NOON + timedelta(minutes=minute))


def attempt(minute: float, end: End | None = End.EXITED, *, ended: float | None = None) -> Attempt:
    """One that began at `minute`, and ended half a minute later unless it says when, or (`end` None) runs."""
    began = NOON + timedelta(minutes=minute)
    over = None if end is None else NOON + timedelta(minutes=minute + 0.5 if ended is None else ended)
    return Attempt(RunId(f"run-{minute}"), "fast", 4243, 1.0, 4243, began, ended_at=over, end=end)


def supervised() -> Supervision:
    return Supervision(SUPERVISOR, Doing.ATTEMPT, NOON)


def facts(*runs: Run, alive: tuple[str, ...] = (), **more: Any) -> Facts:
    """What is on record: reviewers' tasks among `runs` are told apart by what they review."""
    own = {one.task_id: one for one in runs if one.review_of is None}
    reviewers = {task_id: tuple(one for one in runs if one.review_of == task_id) for task_id in own}
    free = {task_id: TaskId(reviewer_id(task_id, 1 + len(found))) for task_id, found in reviewers.items()}
    given: Mapping[str, Any] = {"since": NOON + timedelta(hours=1), **more}
    return Facts(own, reviewers=reviewers, next_review=free, alive=frozenset(map(TaskId, alive)), **given)
