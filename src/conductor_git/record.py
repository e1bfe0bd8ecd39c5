"""The record's form on disk: a `Run` to and from the tree of `run-info.yaml` (version 1, no I/O)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar, cast

from conductor_git.errors import BadTaskId
from conductor_git.names import CommitId, RunId, TaskId, parse_task_id
from conductor_git.run import (
    Attempt,
    Doing,
    End,
    Event,
    GateResult,
    Landing,
    Outcome,
    Phase,
    ProcessId,
    Run,
    State,
    Step,
    Strategy,
    Supervision,
)

VERSION: Final = 1
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,6}Z")
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class BadField(ValueError):
    """A key that is missing or holds what its type cannot be; the store adds the file's name."""


def format_time(at: datetime) -> str:
    """`at` (aware) as `2026-11-20T10:15:00.123456Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """What `format_time` wrote; `ValueError` for any other form. A tenth of what `strptime` costs, import included."""
    if _TIME.fullmatch(text) is None:
        raise ValueError(f"{text!r} is no time like 2026-11-20T10:15:00.123456Z")
    return datetime.fromisoformat(text)


def to_tree(run: Run) -> dict[str, Any]:
    """`run` as nested dicts, lists, strings, integers and None, in the order of formats.md."""
    return {
        "version": VERSION,
        "revision": run.revision,
        "generation": run.generation,
        "project_id": run.project_id,
        "task_id": run.task_id,
        "title": run.title,
        "state": str(run.state),
        "branch": run.branch,
        "target": run.target,
        "base_commit": run.base_commit,
        "head_commit": run.head_commit,
        "approved_commit": run.approved_commit,
        "merge_commit": run.merge_commit,
        "worktree": run.worktree,
        "agent": run.agent,
        "command": list(run.command),
        "needs": list(run.needs),
        "priority": run.priority,
        "review_of": run.review_of,
        "parent_task_id": run.parent_task_id,
        "plan": run.plan,
        "fallbacks": list(run.fallbacks),
        "reviews_required": run.reviews_required,
        "summary": run.summary,
        "reason": run.reason,
        "created_at": format_time(run.created_at),
        "updated_at": format_time(run.updated_at),
        "history": [_step_tree(step) for step in run.history],
        "attempts": [_attempt_tree(attempt) for attempt in run.attempts],
        "attempts_before": run.attempts_before,
        "supervision": None if run.supervision is None else _supervision_tree(run.supervision),
        "landing": None if run.landing is None else _landing_tree(run.landing),
        "undo": None if run.undo is None else _landing_tree(run.undo),
        "join": None if run.join is None else _landing_tree(run.join),
    }


def _step_tree(step: Step) -> dict[str, Any]:
    tree = {
        "revision": step.revision,
        "event": str(step.event),
        "state": str(step.state),
        "at": format_time(step.at),
        "by": step.by,
        "commit": step.commit,
    }
    return tree | ({"note": step.note} if step.note is not None else {})


def _attempt_tree(attempt: Attempt) -> dict[str, Any]:
    return {
        "run_id": attempt.run_id,
        "agent": attempt.agent,
        "agent_version": attempt.agent_version,
        "pid": attempt.pid,
        "pid_started": _number(attempt.pid_started),
        "pgid": attempt.pgid,
        "supervisor": None if attempt.supervisor is None else _process_tree(attempt.supervisor),
        "started_at": format_time(attempt.started_at),
        "ended_at": None if attempt.ended_at is None else format_time(attempt.ended_at),
        "end": None if attempt.end is None else str(attempt.end),
        "exit_code": attempt.exit_code,
        "signal": attempt.signal,
        "why": attempt.why,
        "retry_at": None if attempt.retry_at is None else format_time(attempt.retry_at),
        "cost_usd": _number(attempt.cost_usd),
        "tokens_in": attempt.tokens_in,
        "tokens_out": attempt.tokens_out,
        "terminal": attempt.terminal,
    }


def _process_tree(process: ProcessId) -> dict[str, Any]:
    return {"pid": process.pid, "pid_started": _number(process.started)}


def _supervision_tree(supervision: Supervision) -> dict[str, Any]:
    return {
        "process": _process_tree(supervision.process),
        "doing": str(supervision.doing),
        "since": format_time(supervision.since),
        "until": None if supervision.until is None else format_time(supervision.until),
        "why": supervision.why,
    }


def _landing_tree(landing: Landing) -> dict[str, Any]:
    return {
        "landing_id": landing.landing_id,
        "phase": str(landing.phase),
        "strategy": str(landing.strategy),
        "outcome": None if landing.outcome is None else str(landing.outcome),
        "target_before": landing.target_before,
        "batch_base": landing.batch_base,
        "merge_commit": landing.merge_commit,
        "checkout": landing.checkout,
        "files": list(landing.files),
        "gates": [
            {
                "name": gate.name,
                "command": gate.command,
                "exit_code": gate.exit_code,
                "seconds": _number(gate.seconds),
                "log": gate.log,
            }
            for gate in landing.gates
        ],
        "cleanup": "true" if landing.cleanup else "false",
    }


def _number(value: float | None) -> str | None:
    # repr keeps every bit of the float, so that a process start time compares equal after a round trip.
    return None if value is None else repr(value)


class Fields:
    """One mapping of the tree, read key by key; every error names the key."""

    def __init__(self, tree: object, where: str) -> None:
        if not isinstance(tree, Mapping):
            raise BadField(f"`{where.rstrip('.')}` is not a mapping" if where else "the document is not a mapping")
        self._tree = cast(Mapping[str, object], tree)
        self._where = where

    def _typed(self, key: str, convert: Callable[[str], T]) -> T:
        value = self._tree.get(key)
        if not isinstance(value, str):
            raise BadField(f"`{self._where}{key}` is missing or not a single value")
        try:
            return convert(value)
        except (ValueError, BadTaskId) as wrong:
            raise BadField(f"`{self._where}{key}` is {value[:80]!r}: {wrong}") from wrong

    def maybe(self, key: str, convert: Callable[[str], T]) -> T | None:
        return None if self._tree.get(key) is None else self._typed(key, convert)

    def text(self, key: str) -> str:
        return self._typed(key, str)

    def integer(self, key: str) -> int:
        return self._typed(key, int)

    def number(self, key: str) -> float:
        return self._typed(key, float)

    def time(self, key: str) -> datetime:
        return self._typed(key, parse_time)

    def enum(self, key: str, kind: type[E]) -> E:
        return self._typed(key, kind)

    def task_id(self, key: str) -> TaskId:
        return self._typed(key, parse_task_id)

    def commit(self, key: str) -> CommitId:
        return self._typed(key, parse_commit)

    def maybe_commit(self, key: str) -> CommitId | None:
        return self.maybe(key, parse_commit)

    def task_ids(self, key: str) -> tuple[TaskId, ...]:
        try:
            return tuple(map(parse_task_id, self.texts(key)))
        except BadTaskId as bad:
            raise BadField(f"`{self._where}{key}`: {bad.message}") from bad

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(_plain(item, f"{self._where}{key}") for item in self._items(key))

    def each(self, key: str, read: Callable[[Fields], T]) -> tuple[T, ...]:
        return tuple(
            read(Fields(item, f"{self._where}{key}[{number}].")) for number, item in enumerate(self._items(key))
        )

    def part(self, key: str, read: Callable[[Fields], T]) -> T | None:
        value = self._tree.get(key)
        return None if value is None else read(Fields(value, f"{self._where}{key}."))

    def _items(self, key: str) -> list[object]:
        value = self._tree.get(key) or []
        if not isinstance(value, list):
            raise BadField(f"`{self._where}{key}` is not a list")
        return value


def _plain(item: object, where: str) -> str:
    if not isinstance(item, str):
        raise BadField(f"`{where}` holds something that is not a single value")
    return item


def parse_commit(text: str) -> CommitId:
    """A full object id (SHA-1 or SHA-256), or `BadField`."""
    if len(text) not in (40, 64) or set(text) - set("0123456789abcdef"):
        raise BadField(f"{text[:80]!r} is not a full commit id")
    return CommitId(text)


def from_tree(tree: object) -> Run:
    """The `Run` that `tree` holds, or `BadField`; unknown keys are ignored, a newer version is refused."""
    fields = Fields(tree, "")
    version = fields.integer("version")
    if version != VERSION:
        raise BadField(f"`version` is {version}, and this conductor-git reads {VERSION}")
    return Run(
        project_id=fields.text("project_id"),
        task_id=fields.task_id("task_id"),
        title=fields.text("title"),
        state=fields.enum("state", State),
        branch=fields.text("branch"),
        target=fields.text("target"),
        base_commit=fields.commit("base_commit"),
        worktree=fields.text("worktree"),
        agent=fields.maybe("agent", str),
        created_at=fields.time("created_at"),
        updated_at=fields.time("updated_at"),
        revision=fields.integer("revision"),
        generation=fields.integer("generation"),
        head_commit=fields.maybe_commit("head_commit"),
        approved_commit=fields.maybe_commit("approved_commit"),
        merge_commit=fields.maybe_commit("merge_commit"),
        command=fields.texts("command"),
        needs=fields.task_ids("needs"),
        priority=fields.maybe("priority", int) or 0,
        review_of=fields.maybe("review_of", parse_task_id),
        parent_task_id=fields.maybe("parent_task_id", parse_task_id),
        plan=fields.maybe("plan", str),
        fallbacks=fields.texts("fallbacks"),
        reviews_required=fields.integer("reviews_required"),
        summary=fields.maybe("summary", str),
        reason=fields.maybe("reason", str),
        history=fields.each("history", _step),
        attempts=fields.each("attempts", _attempt),
        attempts_before=fields.maybe("attempts_before", int) or 0,
        supervision=fields.part("supervision", _supervision),
        landing=fields.part("landing", _landing),
        undo=fields.part("undo", _landing),
        join=fields.part("join", _landing),
    )


def _step(fields: Fields) -> Step:
    return Step(
        fields.integer("revision"),
        fields.enum("event", Event),
        fields.enum("state", State),
        fields.time("at"),
        fields.text("by"),
        fields.maybe_commit("commit"),
        fields.maybe("note", str),
    )


def _process(fields: Fields) -> ProcessId:
    return ProcessId(fields.integer("pid"), fields.number("pid_started"))


def _attempt(fields: Fields) -> Attempt:
    return Attempt(
        run_id=RunId(fields.text("run_id")),
        agent=fields.text("agent"),
        agent_version=fields.maybe("agent_version", str),
        pid=fields.maybe("pid", int),
        pid_started=fields.maybe("pid_started", float),
        pgid=fields.maybe("pgid", int),
        supervisor=fields.part("supervisor", _process),
        started_at=fields.time("started_at"),
        ended_at=fields.maybe("ended_at", parse_time),
        end=fields.maybe("end", End),
        exit_code=fields.maybe("exit_code", int),
        signal=fields.maybe("signal", str),
        why=fields.maybe("why", str),
        retry_at=fields.maybe("retry_at", parse_time),
        cost_usd=fields.maybe("cost_usd", float),
        tokens_in=fields.maybe("tokens_in", int),
        tokens_out=fields.maybe("tokens_out", int),
        terminal=fields.maybe("terminal", str),
    )


def _supervision(fields: Fields) -> Supervision:
    process = fields.part("process", _process)
    if process is None:
        raise BadField("`supervision.process` is missing")
    return Supervision(
        process,
        fields.enum("doing", Doing),
        fields.time("since"),
        fields.maybe("until", parse_time),
        fields.maybe("why", str),
    )


def _gate(fields: Fields) -> GateResult:
    return GateResult(
        fields.text("name"),
        fields.text("command"),
        fields.maybe("exit_code", int),
        fields.number("seconds"),
        fields.text("log"),
    )


def _landing(fields: Fields) -> Landing:
    return Landing(
        landing_id=fields.text("landing_id"),
        phase=fields.enum("phase", Phase),
        strategy=fields.enum("strategy", Strategy),
        outcome=fields.maybe("outcome", Outcome),
        target_before=fields.maybe_commit("target_before"),
        batch_base=fields.maybe_commit("batch_base"),
        merge_commit=fields.maybe_commit("merge_commit"),
        checkout=fields.maybe("checkout", str),
        files=fields.texts("files"),
        gates=fields.each("gates", _gate),
        cleanup=fields.text("cleanup") == "true",
    )
