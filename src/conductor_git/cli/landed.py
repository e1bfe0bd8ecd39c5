"""What merge and queue say of landings, to people and as documents."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git.cli.lasting import looked_on
from conductor_git.cli.output import answer, document, narrate, say, table, took
from conductor_git.errors import PushRejected
from conductor_git.landing.order import Queue, approved_at
from conductor_git.layout import CONFIG_NAME
from conductor_git.names import TaskId, short
from conductor_git.run import GateResult, Outcome, Run, utcnow
from conductor_git.wording import age, counted, several
from conductor_git.workflow.documents.landing import landed_document, outcome, processed_document, queues_document
from conductor_git.workflow.landing.cleanup import Fate
from conductor_git.workflow.landing.wish import Landed, Listener, Refused, Result
from conductor_git.workflow.queue import Processed

if TYPE_CHECKING:  # pydantic
    from conductor_git.config.model import Gate

_NAMED: Final = 4
"""How many of the tasks that are landed together a line names."""


def listener(result: Callable[[Result], None] = lambda result: None) -> Listener:
    """Tells everything of a landing that is on its way, on standard error; `result` besides hears what came of it."""
    return Listener(waiting=_waiting, gate=_gate, gating=_gating, config=_config, result=result)


def _waiting(ahead: str, count: int) -> None:
    narrate("◎", f"waiting for the landing of {ahead}" + (f" and {count - 1} more" if count > 1 else ""))


def _gate(result: GateResult, tasks: Sequence[TaskId]) -> None:
    """Says how a gate ended, and where several landings were judged at once, of which."""
    together = f" on {several(tasks, _NAMED)}" if len(tasks) > 1 else ""
    narrate("✓" if result.passed else "✗", f"gate {result.name}{together} ({took(result.seconds)})")


def _gating(gate: Gate, log: Path) -> AbstractContextManager[None]:
    return looked_on(log, f"gate {gate.name}: {gate.run}")


def _config(run: Run) -> None:
    narrate("○", f"{run.task_id} changes {CONFIG_NAME}: its gates count from the landing after this one on")


def tell_one(done: Landed, dry_run: bool, as_json: bool) -> None:
    """The answer of `merge TASK`."""
    facts = landed_document(done, dry_run=dry_run)
    if as_json:
        document(**facts)
    elif dry_run:
        say(_would_land(done))
    else:
        answer(done.run.merge_commit or "")
        _narrate(done)


def _would_land(done: Landed) -> str:
    run = done.run
    return f"{run.task_id} would land on {run.target} with {counted(len(done.paths), 'changed file')}"


def _narrate(done: Landed) -> None:
    run = done.run
    before = "was already" if done.outcome is Outcome.ALREADY_LANDED else "is"
    narrate("✓", f"{run.task_id} {before} on {run.target} as {short(run.merge_commit)}")
    if done.fate is not None:
        _tell_fate(run, done.fate)


def _tell_fate(run: Run, fate: Fate) -> None:
    worktree = "is removed" if fate.worktree_removed else f"stays at {run.worktree}"
    branch = "is deleted" if fate.branch_deleted else f"stays ({run.branch})"
    narrate("○", f"the worktree {worktree}, the branch {branch}")
    if fate.salvage is not None and fate.salvage.ref:
        narrate("○", f"what was uncommitted is kept in {fate.salvage.ref}")
    if fate.kept_commits:
        narrate("○", f"the commits as they were reviewed are kept in {fate.kept_commits}")
    if fate.kept_because:
        narrate("▲", fate.kept_because)


def teller(dry_run: bool) -> Callable[[Result], None]:
    """Says what came of a task of the queue as soon as that is decided."""

    def tell(result: Result) -> None:
        if isinstance(result, Refused):
            narrate("✗", f"{result.run.task_id}: {result.error.message}")
            if result.error.hint:
                narrate("↳", result.error.hint)
        elif dry_run:
            narrate("○", _would_land(result))
        else:
            _narrate(result)

    return tell


def tell_all(processed: Processed, dry_run: bool, as_json: bool) -> int:
    """The answer of `merge` without a task, one line each; returns the exit code of the first that did not land."""
    refused = [result.error for result in processed.results if isinstance(result, Refused)]
    pushed = [result for result in processed.results if isinstance(result, Landed) and result.push_error]
    if as_json:
        document(**processed_document(processed, dry_run=dry_run))
    else:
        for one in processed.waiting:
            narrate("○", f"{one.run.task_id} waits for {', '.join(one.needs)}")
        if not processed.results:
            narrate("○", "nothing is approved and ready to land")
        for result in processed.results:
            answer(f"{result.run.task_id} {outcome(result)}")
        for landed in pushed[:1]:
            narrate("▲", f"{landed.run.target} has moved here, and the push was refused: {landed.push_error}")
    if refused:
        return refused[0].exit_code
    return PushRejected.exit_code if pushed else 0


def tell_queues(queues: Mapping[str, Queue], as_json: bool) -> None:
    """What lands next on each target, in that order, and what waits."""
    if as_json:
        document(**queues_document(queues))
        return
    shown = {target: queue for target, queue in queues.items() if queue.ready or queue.waiting}
    if not shown:
        narrate("○", "nothing is approved and waits to land")
        return
    rows = [row for target, queue in shown.items() for row in _rows(target, queue)]
    say(table(("TARGET", "PLACE", "TASK", "PRIORITY", "APPROVED", "WAITS FOR", "LAST"), rows, sys.stdout))
    if any(queue.ready for queue in shown.values()):
        narrate("↳", "conductor-git merge")


def _rows(target: str, queue: Queue) -> list[tuple[str, ...]]:
    ready = [_row(target, str(number), run, "") for number, run in enumerate(queue.ready, 1)]
    return ready + [_row(target, "", one.run, ", ".join(one.needs)) for one in queue.waiting]


def _row(target: str, place: str, run: Run, needs: str) -> tuple[str, ...]:
    since = f"{age((utcnow() - approved_at(run)).total_seconds())} ago"
    last = str(run.landing.outcome) if run.landing and run.landing.outcome else ""
    return (target, place, run.task_id, str(run.priority) if run.priority else "", since, needs, last)
