"""Landings, what takes them back, and the queue, as documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conductor_git.errors import PushRejected
from conductor_git.landing.order import Queue, Waiting, approved_at
from conductor_git.record import format_time
from conductor_git.run import Outcome, Run
from conductor_git.workflow.documents.task import task_document
from conductor_git.workflow.landing.cleanup import Fate
from conductor_git.workflow.landing.wish import Landed, Refused, Result
from conductor_git.workflow.queue import Processed
from conductor_git.workflow.undo import Undone


def landed_document(done: Landed, *, dry_run: bool) -> dict[str, Any]:
    """The answer of `merge TASK`; `PushRejected` where the target moved here, and the remote would not take it."""
    require_pushed(done.run, done.push_error, done.run.merge_commit)
    return {**_facts(done, dry_run), "task": task_document(done.run)}


def undone_document(undone: Undone, *, dry_run: bool) -> dict[str, Any]:
    """The answer of `undo`; `PushRejected` as for a landing."""
    require_pushed(undone.run, undone.push_error, undone.commit)
    facts = task_document(undone.run)
    return {"task": facts, "undo_commit": undone.commit, "dry_run": dry_run, "files": list(undone.paths)}


def processed_document(processed: Processed, *, dry_run: bool) -> dict[str, Any]:
    """What came of each task of the queues; one that did not land has its `error`."""
    return {
        "dry_run": dry_run,
        "landings": [_result_document(result, dry_run) for result in processed.results],
        "waiting": [_waiting_document(one) for one in processed.waiting],
    }


def queues_document(queues: Mapping[str, Queue]) -> dict[str, Any]:
    """What lands next on each target, in that order, and what waits."""
    return {"queues": [_queue_document(target, queue) for target, queue in queues.items()]}


def require_pushed(run: Run, error: str, commit: str | None) -> None:
    """`PushRejected` where the target moved here, and the remote would not take it."""
    if error:
        raise PushRejected(
            f"{run.task_id} is on {run.target}, and the push was refused: {error}",
            hint=f"git fetch && git push  # from {run.target}",
            task_id=run.task_id,
            outcome=str(Outcome.PUSH_REJECTED),
            merge_commit=commit,
        )


def _facts(done: Landed, dry_run: bool) -> dict[str, Any]:
    return {
        "outcome": str(done.outcome),
        "dry_run": dry_run,
        "files": list(done.paths),
        "cleanup": None if done.fate is None else _fate_document(done.fate),
    }


def _fate_document(fate: Fate) -> dict[str, bool | str | None]:
    return {
        "worktree_removed": fate.worktree_removed,
        "branch_deleted": fate.branch_deleted,
        "salvage": (fate.salvage.ref if fate.salvage else "") or fate.kept_commits or None,
        "kept_because": fate.kept_because or None,
    }


def outcome(result: Result) -> str:
    if isinstance(result, Refused):
        return str(result.error.facts.get("outcome") or result.error.code)
    return str(Outcome.PUSH_REJECTED if result.push_error else result.outcome)


def _result_document(result: Result, dry_run: bool) -> dict[str, Any]:
    run = result.run
    facts: dict[str, Any] = {
        "task_id": run.task_id,
        "outcome": outcome(result),
        "state": str(run.state),
        "branch": run.branch,
        "head_commit": run.head_commit,
        "base_commit": run.base_commit,
        "target": run.target,
        "merge_commit": run.merge_commit,
    }
    if isinstance(result, Refused):
        return facts | {"error": result.error.document()}
    return facts | {key: value for key, value in _facts(result, dry_run).items() if key not in ("outcome", "dry_run")}


def _waiting_document(one: Waiting) -> dict[str, Any]:
    return {"task_id": one.run.task_id, "target": one.run.target, "needs": list(one.needs)}


def _queue_document(target: str, queue: Queue) -> dict[str, Any]:
    def entry(run: Run) -> dict[str, Any]:
        return {
            "task_id": run.task_id,
            "priority": run.priority,
            "approved_at": format_time(approved_at(run)),
            "approved_commit": run.approved_commit,
            "last_outcome": str(run.landing.outcome) if run.landing and run.landing.outcome else None,
        }

    return {
        "target": target,
        "ready": [entry(run) | {"place": number} for number, run in enumerate(queue.ready, 1)],
        "waiting": [entry(one.run) | {"needs": list(one.needs)} for one in queue.waiting],
    }
