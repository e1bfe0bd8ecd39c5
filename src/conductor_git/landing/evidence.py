"""Evidence: what a landing was put on its target for, one JSON document beside its logs, written once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from typing import Any, Final, NoReturn

from conductor_git import durable
from conductor_git.errors import BadRecord, TooLarge, UnsafePath
from conductor_git.layout import Layout
from conductor_git.names import CommitId, TaskId
from conductor_git.record import BadField, Fields, format_time, parse_commit
from conductor_git.run import GateResult

VERSION: Final = 1
_LIMIT: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One task that landed: what was approved by whom, and the commit that brought it."""

    task_id: TaskId
    approved_commit: CommitId
    merge_commit: CommitId
    reviewers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why `target` could move from `target_before` to `landing_id`: the gates that judged `tree`, and the reviews."""

    landing_id: str
    target: str
    target_before: CommitId
    tree: str
    """The tree that the gates ran on; empty where the target has no gates."""
    at: datetime
    gates: tuple[GateResult, ...]
    landings: tuple[Entry, ...]
    """In the order in which they lie on the target, the oldest first."""


def write(layout: Layout, evidence: Evidence) -> None:
    """Keep `evidence` under its landing. Durable once the file system is synced, as it is before a landing is told.

    A crash leaves the old document or this one.
    """
    path = layout.evidence(parse_commit(evidence.landing_id))
    durable.make_directory(path.parent)
    text = json.dumps(document(evidence), ensure_ascii=False, indent=1)
    durable.write_through(path, f"{text}\n".encode("utf-8", "replace"))


def read(layout: Layout, landing_id: str) -> dict[str, Any] | None:
    """The evidence of a landing as a document to print, None where there is none.

    Of evidence that cannot be read it says what is wrong: `{"landing_id": …, "damaged": …, "path": …}`.
    """
    try:
        evidence = load(layout, landing_id)
    except BadRecord as bad:
        return {"landing_id": landing_id, "damaged": bad.message, **bad.facts}
    return None if evidence is None else document(evidence)


def load(layout: Layout, landing_id: str) -> Evidence | None:
    """The evidence of a landing; `BadRecord` where it is damaged, another landing's or of a newer version."""
    try:
        path = layout.evidence(parse_commit(landing_id))
    except BadField:
        return None
    try:
        evidence = _evidence(_tree(durable.read_regular(path, _LIMIT)))
        if evidence.landing_id != landing_id:
            raise BadField(f"it is the evidence of {evidence.landing_id}")
    except FileNotFoundError:
        return None
    except (BadField, UnsafePath, TooLarge, OSError) as wrong:
        raise BadRecord(f"{path} cannot be read: {wrong}", hint=f"ls -l {quote(str(path))}", path=str(path)) from wrong
    return evidence


def document(evidence: Evidence) -> dict[str, Any]:
    """`evidence` as JSON values, as the file holds it."""
    return {
        "version": VERSION,
        "landing_id": evidence.landing_id,
        "target": evidence.target,
        "target_before": evidence.target_before,
        "tree": evidence.tree,
        "at": format_time(evidence.at),
        "gates": [
            {
                "name": gate.name,
                "command": gate.command,
                "exit_code": gate.exit_code,
                "seconds": gate.seconds,
                "log": gate.log,
            }
            for gate in evidence.gates
        ],
        "landings": [
            {
                "task_id": entry.task_id,
                "approved_commit": entry.approved_commit,
                "merge_commit": entry.merge_commit,
                "reviewers": list(entry.reviewers),
            }
            for entry in evidence.landings
        ],
    }


def _tree(data: bytes) -> object:
    """The JSON document `data`, its numbers as text, which is what `Fields` reads."""
    try:
        return json.loads(data, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as wrong:
        raise BadField(f"it is not JSON: {wrong}") from wrong


def _no_number(text: str) -> NoReturn:
    raise BadField(f"{text} is no number")


def _evidence(tree: object) -> Evidence:
    fields = Fields(tree, "")
    version = fields.integer("version")
    if version != VERSION:
        raise BadField(f"`version` is {version}, and this conductor-git reads {VERSION}")
    return Evidence(
        landing_id=fields.commit("landing_id"),
        target=fields.text("target"),
        target_before=fields.commit("target_before"),
        tree=fields.text("tree"),
        at=fields.time("at"),
        gates=fields.each("gates", _gate),
        landings=fields.each("landings", _entry),
    )


def _gate(fields: Fields) -> GateResult:
    return GateResult(
        name=fields.text("name"),
        command=fields.text("command"),
        exit_code=fields.maybe("exit_code", int),
        seconds=fields.number("seconds"),
        log=fields.text("log"),
    )


def _entry(fields: Fields) -> Entry:
    return Entry(
        task_id=fields.task_id("task_id"),
        approved_commit=fields.commit("approved_commit"),
        merge_commit=fields.commit("merge_commit"),
        reviewers=fields.texts("reviewers"),
    )
