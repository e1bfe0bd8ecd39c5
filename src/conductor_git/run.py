"""The run: states, events, the table of transitions, and the record of one worker's life (no I/O)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from shlex import quote
from typing import Final

from conductor_git.errors import IllegalTransition
from conductor_git.names import CommitId, RunId, TaskId


class State(StrEnum):
    ASSIGNED = "ASSIGNED"
    WORKING = "WORKING"
    IN_REVIEW = "IN_REVIEW"
    APPROVED = "APPROVED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """No work goes on; FAILED and CANCELLED can still be retried, COMPLETED is final for good."""
        return self in _FINAL


_FINAL: Final = (State.COMPLETED, State.FAILED, State.CANCELLED)


class Event(StrEnum):
    SPAWN = "spawn"
    START = "start"
    DONE = "done"
    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    SUPERSEDE = "supersede"
    BOUNCE = "bounce"
    MERGE = "merge"
    FAIL = "fail"
    CANCEL = "cancel"
    RETRY = "retry"
    REVIEWED = "reviewed"
    ANSWERED = "answered"
    UNDO = "undo"


_LIVE: Final = (State.ASSIGNED, State.WORKING, State.IN_REVIEW, State.APPROVED)

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    (State.ASSIGNED, Event.START): State.WORKING,
    (State.WORKING, Event.DONE): State.IN_REVIEW,
    (State.IN_REVIEW, Event.APPROVE): State.APPROVED,
    (State.IN_REVIEW, Event.REQUEST_CHANGES): State.WORKING,
    # A later verdict replaces an earlier one, also after it had approved.
    (State.APPROVED, Event.REQUEST_CHANGES): State.WORKING,
    (State.IN_REVIEW, Event.SUPERSEDE): State.IN_REVIEW,
    (State.APPROVED, Event.SUPERSEDE): State.IN_REVIEW,
    (State.APPROVED, Event.BOUNCE): State.WORKING,
    (State.APPROVED, Event.MERGE): State.COMPLETED,
    **{(state, Event.FAIL): State.FAILED for state in _LIVE},
    **{(state, Event.CANCEL): State.CANCELLED for state in _LIVE},
    (State.FAILED, Event.RETRY): State.ASSIGNED,
    (State.CANCELLED, Event.RETRY): State.ASSIGNED,
    # A reviewer's task has no commit to hand in: its verdict on the other task is its work.
    (State.ASSIGNED, Event.REVIEWED): State.COMPLETED,
    (State.WORKING, Event.REVIEWED): State.COMPLETED,
    # An agent that answers and cannot edit has no commit either: its answer is its work.
    (State.WORKING, Event.ANSWERED): State.COMPLETED,
    # The only way out of COMPLETED, and nothing that a restart does by itself.
    (State.COMPLETED, Event.UNDO): State.CANCELLED,
}


class Outcome(StrEnum):
    """How a landing ended; kept apart in exit codes, JSON, the bus and every page."""

    LANDED = "LANDED"
    ALREADY_LANDED = "ALREADY_LANDED"
    CONFLICT = "CONFLICT"
    GATE_FAILED = "GATE_FAILED"
    BLOCKED = "BLOCKED"
    SUPERSEDED = "SUPERSEDED"
    PUSH_REJECTED = "PUSH_REJECTED"


class Phase(StrEnum):
    """What a landing was about to do when it last wrote its record; recovery starts from it."""

    MERGE = "merge"
    GATES = "gates"
    PUBLISH = "publish"
    CLEANUP = "cleanup"
    ENDED = "ended"


class Strategy(StrEnum):
    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


@dataclass(frozen=True, slots=True)
class Step:
    """One transition, as `history` keeps it."""

    revision: int
    event: Event
    state: State
    at: datetime
    by: str
    commit: CommitId | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that is the same one later: a pid alone is reused, pid and start time are not."""

    pid: int
    started: float


class Doing(StrEnum):
    """What a supervisor is at: the worktree's setup, an attempt, or waiting: for a place, after an attempt, a limit."""

    SLOT = "slot"
    SETUP = "setup"
    ATTEMPT = "attempt"
    BACKOFF = "backoff"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Supervision:
    """The process that supervises the run, and what it is doing; `until` is when a wait of known length ends."""

    process: ProcessId
    doing: Doing
    since: datetime
    until: datetime | None = None
    why: str | None = None


class End(StrEnum):
    """How an attempt's process ended."""

    EXITED = "exited"
    KILLED = "killed"
    """By a signal that was not ours."""
    STOPPED = "stopped"
    TIMED_OUT = "timed_out"
    COST = "cost"
    """It had cost what `limits.cost_usd` allows."""
    LIMITED = "limited"
    """Its provider would not serve it for now; such an attempt counts for nothing."""
    REFUSED = "refused"
    """Its provider will not serve it before a person has seen to a key or a bill."""
    LOST = "lost"
    """It and its supervisor vanished, so that nobody saw how."""
    UNSTARTABLE = "unstartable"


UNCOUNTED: Final = (End.LIMITED, End.STOPPED)
"""Attempts that ended so are not of those that a task has."""
KEPT_ATTEMPTS: Final = 32
"""So many of the last attempts stay on record, which is read whole and bounded in size."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One agent process launched for the run. `end` is None while it runs."""

    run_id: RunId
    agent: str
    pid: int | None
    pid_started: float | None
    pgid: int | None
    started_at: datetime
    supervisor: ProcessId | None = None
    agent_version: str | None = None
    ended_at: datetime | None = None
    end: End | None = None
    exit_code: int | None = None
    signal: str | None = None
    why: str | None = None
    """A line for people: what is known of why it ended."""
    retry_at: datetime | None = None
    """When its provider will serve again, where it said so."""
    cost_usd: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    terminal: str | None = None
    """The tmux session that it runs in, where the config says so."""

    @property
    def process(self) -> ProcessId | None:
        if self.pid is None or self.pid_started is None:
            return None
        return ProcessId(self.pid, self.pid_started)


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate on the merged tree; `exit_code` None means the time limit ended it."""

    name: str
    command: str
    exit_code: int | None
    seconds: float
    log: str

    @property
    def passed(self) -> bool:
        return self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Landing:
    """The last landing of a run: where it stands (`phase`) and, once it ended, how (`outcome`)."""

    landing_id: str
    """The commit that the target's ref moves to: in a batch, the last one's; names its logs and evidence."""
    phase: Phase
    strategy: Strategy
    outcome: Outcome | None = None
    target_before: CommitId | None = None
    """What it was put on: the first parent of what landed. In a batch, the landing before it."""
    batch_base: CommitId | None = None
    """Where the target's ref was before the batch that this landing is one of; None where it landed alone."""
    merge_commit: CommitId | None = None
    checkout: str | None = None
    """The person's checkout that is fast-forwarded, or that blocked, as an absolute path; None where there is none."""
    files: tuple[str, ...] = ()
    """The paths in conflict, or those that block."""
    gates: tuple[GateResult, ...] = ()
    cleanup: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """The record `tasks/<task_id>/run-info.yaml`: frozen, changed only by `advance` and `replace` in a store update."""

    project_id: str
    task_id: TaskId
    title: str
    state: State
    branch: str
    target: str
    base_commit: CommitId
    worktree: str
    agent: str | None
    created_at: datetime
    updated_at: datetime
    revision: int = 1
    generation: int = 1
    head_commit: CommitId | None = None
    approved_commit: CommitId | None = None
    merge_commit: CommitId | None = None
    command: tuple[str, ...] = ()
    needs: tuple[TaskId, ...] = ()
    priority: int = 0
    """Of two approved tasks the one with the higher number lands first."""
    review_of: TaskId | None = None
    """The task that this one is to review, at `base_commit`; such a worker has no branch."""
    parent_task_id: TaskId | None = None
    """The task whose worker spawned this one."""
    plan: str | None = None
    """The plan that this task is of."""
    fallbacks: tuple[str, ...] = ()
    """The agents that take over, in this order, where `agent` cannot be used."""
    reviews_required: int = 1
    summary: str | None = None
    reason: str | None = None
    history: tuple[Step, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """The last `KEPT_ATTEMPTS`."""
    attempts_before: int = 0
    """How many there were before those."""
    supervision: Supervision | None = None
    landing: Landing | None = None
    undo: Landing | None = None
    """The landing that took this one back, or is about to; its `merge_commit` is the reverting commit."""
    join: Landing | None = None
    """The last time that what a remote had gained was joined to the target, for the push after this landing."""

    @property
    def branch_ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def target_ref(self) -> str:
        return f"refs/heads/{self.target}"

    @property
    def landings(self) -> tuple[Landing, ...]:
        """Those on record: of the task itself, of what took it back, of what a push joined."""
        return tuple(landing for landing in (self.landing, self.undo, self.join) if landing is not None)

    @property
    def has_agent(self) -> bool:
        """Whether it has an agent that we can launch."""
        return bool(self.command or self.agent)

    @property
    def last_attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None


NEXT_COMMAND: Final[Mapping[State, str]] = {
    State.ASSIGNED: "conductor-git start {task}",
    State.WORKING: "conductor-git done {task}",
    State.IN_REVIEW: "conductor-git approve {task}",
    State.APPROVED: "conductor-git merge {task}",
    State.COMPLETED: "conductor-git show {task}",
    State.FAILED: "conductor-git retry {task}",
    State.CANCELLED: "conductor-git retry {task}",
}
"""What usually moves a task on from each state, for hints."""


def next_command(run: Run) -> str:
    if run.review_of is not None and run.state is State.WORKING:
        return f"cd {quote(run.worktree)} && conductor-git approve {run.review_of}"
    return NEXT_COMMAND[run.state].format(task=run.task_id)


def has_handed_in(run: Run, attempt: Attempt) -> bool:
    """Whether the worker has called `done`, or given its verdict, since `attempt` began."""
    ends = (Event.DONE, Event.REVIEWED, Event.ANSWERED)
    return any(step.event in ends and step.at >= attempt.started_at for step in run.history)


def how_it_ended(run: Run, attempt: Attempt) -> str:
    """How the attempt of `run` ended, to follow on what it is called."""
    why = f": {attempt.why}" if attempt.why else ""
    if attempt.end is End.EXITED:
        return f"{_exited(run, attempt)}{why}"
    words = {
        None: "is running",
        End.KILLED: f"was ended by {attempt.signal}",
        End.STOPPED: "was stopped",
        End.TIMED_OUT: "ran out of time",
        End.COST: "had cost all that it may",
        End.LIMITED: "was not served by its provider",
        End.REFUSED: "was refused by its provider",
        End.LOST: "vanished together with its supervisor",
        End.UNSTARTABLE: "could not be started",
    }
    return f"{words[attempt.end]}{why}"


def _exited(run: Run, attempt: Attempt) -> str:
    if attempt.exit_code:
        return f"ended with exit code {attempt.exit_code}"
    if has_handed_in(run, attempt):
        return "ended after it had handed in"
    if attempt.exit_code == 0:
        return "ended without `done`"
    return f"was ended by {attempt.signal}" if attempt.signal else "ended, and nobody saw how"


def advance(
    run: Run, event: Event, *, at: datetime, by: str, commit: CommitId | None = None, note: str | None = None
) -> Run:
    """`run` after `event`, with the step added to its history; `IllegalTransition` where the table has no row."""
    state = TRANSITIONS.get((run.state, event))
    if state is None:
        raise illegal(run, event, f"{run.task_id} is {run.state}, where `{event}` is not possible")
    step = Step(run.revision + 1, event, state, at, by, commit, note)
    return replace(run, state=state, updated_at=at, history=(*run.history, step))


def illegal(run: Run, event: str, message: str, *, hint: str = "") -> IllegalTransition:
    """The refusal of `event` on `run` as it is; the hint is what usually moves it on, unless another one helps."""
    return IllegalTransition(
        message, hint=hint or next_command(run), task_id=run.task_id, state=str(run.state), event=str(event)
    )


def utcnow() -> datetime:
    """The clock of the surfaces; everything below them is handed a time."""
    return datetime.now(UTC)
