"""What the runner of a plan can do next, as values.

Each holds what it was decided from (`steps`: how many steps the task's history has, `attempts`: how many attempts), so
that the same action twice is the same decision twice, and one that came to nothing is not tried again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

from conductor_git.names import CommitId, TaskId
from conductor_git.run import ProcessId


@dataclass(frozen=True, slots=True)
class Spawn:
    """Give a task its branch, its worktree and its agent."""

    task_id: TaskId


@dataclass(frozen=True, slots=True)
class Resume:
    """Start a supervisor for a task that has none and goes on."""

    task_id: TaskId
    steps: int
    attempts: int
    why: str
    lost: ProcessId | None = None
    """The supervisor that was killed: a second one that is killed is not the first."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Spawn a reviewer of `task_id`."""

    task_id: TaskId
    reviewer: TaskId
    agent: str
    commit: CommitId


@dataclass(frozen=True, slots=True)
class Recall:
    """End a reviewer's task: what it looks at is not in review any more."""

    task_id: TaskId
    steps: int


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve in the name of the plan."""

    task_id: TaskId
    commit: CommitId
    steps: int


@dataclass(frozen=True, slots=True)
class Land:
    task_id: TaskId
    target: str
    steps: int


@dataclass(frozen=True, slots=True)
class Halt:
    """Stop the agent of a task, because another one failed."""

    task_id: TaskId
    attempts: int
    why: str


Action = Spawn | Resume | Ask | Recall | Approve | Land | Halt
