"""A task, the row of one in a list, and reviews, as OpenAPI tells them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

StateName = Literal["ASSIGNED", "WORKING", "IN_REVIEW", "APPROVED", "COMPLETED", "FAILED", "CANCELLED"]


class _Exact(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Step(_Exact):
    revision: int
    event: str
    state: StateName
    at: str
    by: str
    commit: str | None
    note: str | None = None


class Core(_Exact):
    """What every result that claims success carries."""

    task_id: str
    title: str
    state: StateName
    branch: str
    target: str
    base_commit: str
    head_commit: str | None
    approved_commit: str | None
    merge_commit: str | None
    worktree: str
    agent: str | None
    generation: int
    review_of: str | None
    parent_task_id: str | None
    updated_at: str


class Task(Core):
    """The record, as run-info.yaml holds it."""

    version: int
    revision: int
    project_id: str
    command: list[str]
    needs: list[str]
    priority: int
    plan: str | None
    fallbacks: list[str]
    reviews_required: int
    summary: str | None
    reason: str | None
    created_at: str
    history: list[Step]
    attempts: list[dict[str, Any]]
    attempts_before: int
    supervision: dict[str, Any] | None
    landing: dict[str, Any] | None
    undo: dict[str, Any] | None
    join: dict[str, Any] | None


class _Seen(BaseModel):
    """What is worked out anew at every look."""

    health: str | None
    supervised: bool
    age_seconds: float
    ahead: int | None
    behind: int | None
    files: int | None
    collides: list[str] | None
    would_conflict: list[str] | None
    queue_position: int | None


class Row(Core, _Seen):
    """A task in a list."""


class SeenTask(Task, _Seen):
    """The record, with what is worked out anew at every look."""


class Unreadable(_Exact):
    """A task whose record cannot be read: the error says why, and the others go on."""

    task_id: str
    error: dict[str, Any]


class Comment(_Exact):
    path: str
    side: Literal["new", "old"]
    line: int
    body: str


class Review(_Exact):
    version: int
    number: int
    reviewer: str
    verdict: Literal["approve", "request_changes"]
    commit: str
    at: str
    body: str
    comments: list[Comment]
    outdated: bool


class Explanation(_Exact):
    waits_for: str
    because: list[str]
    moves: list[str]


class Place(_Exact):
    position: int
    ahead: list[str]


class Met(_Exact):
    task_id: str
    files: list[str]


class Collisions(_Exact):
    tasks: list[Met]
    target: list[str]


class Child(_Exact):
    task_id: str
    state: StateName


class Shown(BaseModel):
    """One task with all that is known of it."""

    task: SeenTask
    reviews: list[Review]
    waits_for: str
    next_command: str
    explanation: Explanation
    queue: Place | None
    collisions: Collisions
    children: list[Child]
    worktree_exists: bool
    evidence: dict[str, Any] | None
