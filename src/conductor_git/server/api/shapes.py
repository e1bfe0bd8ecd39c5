"""The documents of the API as OpenAPI tells them. They are made by `workflow.documents`; a test compares the two."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from conductor_git.server.api.task_shapes import Review, Row, Shown, Task, Unreadable


class Answered(BaseModel):
    """What every document has."""

    model_config = ConfigDict(extra="forbid")

    schema_: Annotated[Literal[1], Field(alias="schema")]


class Error(BaseModel):
    """`code` is for programs and stable; the facts of the case stand beside it."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str
    hint: str


class Problem(Answered):
    error: Error


class TaskList(Answered):
    tasks: list[Row | Unreadable]
    next: str | None
    total: int


class OneTask(Answered):
    task: Task


class ShownTask(Answered, Shown):
    pass


class Stopped(OneTask):
    stopped: bool


class Resumed(OneTask):
    started: bool


class BeatenTask(BaseModel):
    task_id: str


class Beaten(Answered):
    task: BeatenTask


class Cleanup(BaseModel):
    worktree_removed: bool
    branch_deleted: bool
    salvage: str | None
    kept_because: str | None


class Landed(OneTask):
    outcome: str
    dry_run: bool
    files: list[str]
    cleanup: Cleanup | None


class Undone(OneTask):
    undo_commit: str
    dry_run: bool
    files: list[str]


class Reviews(Answered):
    reviews: list[Review]


class Reviewed(OneTask):
    review: Review


class Line(BaseModel):
    text: str
    old: int | None
    new: int | None


class Part(BaseModel):
    old_path: str | None
    new_path: str | None
    lines: list[Line]


class Remark(BaseModel):
    number: int
    reviewer: str
    verdict: str
    commit: str
    path: str
    side: Literal["new", "old"]
    line: int
    body: str
    outdated: bool


class Diff(Answered):
    task_id: str
    base_commit: str
    head_commit: str
    files: list[str]
    diff: str
    comments: list[Remark]
    parts: list[Part] | None = None


class Meeting(BaseModel):
    tasks: list[str]
    files: list[str]
    kinds: list[str]
    uncommitted: bool


class TargetMeeting(BaseModel):
    task_id: str
    target: str
    files: list[str]
    kinds: list[str]
    uncommitted: bool


class TaskNote(BaseModel):
    task_id: str
    note: str


class Conflicts(Answered):
    collisions: list[Meeting]
    targets: list[TargetMeeting]
    order: list[str]
    notes: list[TaskNote]


class Ready(BaseModel):
    task_id: str
    priority: int
    approved_at: str
    approved_commit: str | None
    last_outcome: str | None
    place: int


class Waiting(BaseModel):
    task_id: str
    priority: int
    approved_at: str
    approved_commit: str | None
    last_outcome: str | None
    needs: list[str]


class TargetQueue(BaseModel):
    target: str
    ready: list[Ready]
    waiting: list[Waiting]


class Queues(Answered):
    queues: list[TargetQueue]


class Processed(Answered):
    dry_run: bool
    landings: list[dict[str, Any]]
    waiting: list[dict[str, Any]]


class NamedFile(BaseModel):
    name: str
    size: int


class Landings(Answered):
    landings: list[dict[str, Any]]


class OneLanding(Answered):
    landing: dict[str, Any] | None
    gate_logs: list[NamedFile]


class FilePart(NamedFile):
    offset: int
    next_offset: int
    text: str


class OneFile(Answered):
    file: FilePart


class Attempts(Answered):
    attempts: list[dict[str, Any]]
    attempts_before: int


class OneAttempt(Answered):
    attempt: dict[str, Any]
    files: list[NamedFile]


class Messages(Answered):
    messages: list[dict[str, Any]]


class OneMessage(Answered):
    message: dict[str, Any]


class Posted(Answered):
    msg_id: str
    attachment_path: str | None
    unknown_parents: list[str]


class Agent(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    default: bool
    configured: bool
    path: str | None
    version: str | None
    usable: bool | None
    problem: str | None
    edits: bool | None
    command: list[str] | None
    stdin: str | None
    environment: dict[str, str]
    keys: list[str]
    keys_set: list[str]
    needs_key: bool


class Agents(Answered):
    agents: list[Agent]


class Setting(BaseModel):
    key: str
    value: Any
    origin: str


class Settings(Answered):
    settings: list[Setting]
