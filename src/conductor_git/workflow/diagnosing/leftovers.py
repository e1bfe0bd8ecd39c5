"""What a task or a refill had of the machine and has no more use for: ports, temporary directories, half a worktree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from shlex import quote

from conductor_git import durable, leases
from conductor_git.errors import BadTaskId
from conductor_git.layout import Layout
from conductor_git.names import TaskId, parse_task_id
from conductor_git.pool.entry import State, clear_made, clear_taken, entries, is_in_use
from conductor_git.project import Project
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground
from conductor_git.workflow.diagnosing.looking import gathered
from conductor_git.workflow.diagnosing.recorded.rebuilding import contexts


def _find(ground: Ground) -> Iterator[Finding]:
    yield from _leases(ground)
    yield from _pool(ground.layout)


def _leases(ground: Ground) -> Iterator[Finding]:
    layout = ground.layout
    held = leases.leased(layout) if layout.ports.exists() else {}  # without the file nothing is held
    lying = set(_temporary(layout))
    for task_id in sorted({*held, *lying} - set(contexts(layout))):  # what git has an entry for is told as that
        if _is_wanted(ground, task_id, held.get(task_id)):
            continue
        whats = [*(["ports"] if task_id in held else []), *(["a temporary directory"] if task_id in lying else [])]
        said = f"{task_id} has {' and '.join(whats)}, and no worktree"
        look = f"ls -la {quote(str(layout.temporary(task_id) if task_id in lying else layout.ports))}"
        yield Finding("LEASE_LEFT", task_id, said, look, task_id)


def _is_wanted(ground: Ground, task_id: TaskId, lease: leases.Lease | None) -> bool:
    """By a live task, whose worktree may come back, by a spawn that is under way, or in a worktree that is there."""
    if task_id in ground.unreadable or ground.layout.intent(task_id).exists():
        return True
    if lease is not None and os.path.lexists(lease.worktree):
        return True
    run = next((run for run in ground.runs if run.task_id == task_id), None)
    if run is not None:
        return not run.state.is_final or os.path.lexists(run.worktree)
    return ground.layout.task(task_id).exists()


def _temporary(layout: Layout) -> Iterator[TaskId]:
    with suppress(OSError):
        for path in layout.temporary(TaskId("x")).parent.iterdir():
            with suppress(BadTaskId):
                yield parse_task_id(path.name)


def _pool(layout: Layout) -> Iterator[Finding]:
    """With the lock of whoever makes, or takes, free: nobody is at it."""
    if not is_in_use(layout):
        return
    for state, guard in ((State.MAKING, layout.pool_lock), (State.TAKEN, layout.worktree_lock)):
        for entry in entries(layout, state):
            if not durable.is_locked(guard) and not durable.is_locked(layout.pool_lock):
                said = f"{Path(entry.path).name}, a worktree for the pool, was left half {_HALF[state]}"
                yield Finding("POOL_LEFT", entry.name, said, f"ls -la {quote(str(layout.pool))}")


_HALF = {State.MAKING: "made", State.TAKEN: "taken"}


def _free(project: Project, finding: Finding, at: datetime) -> str:
    """With the task's lock held, so that no spawn of that name is in between."""
    task_id, layout = TaskId(finding.subject), project.layout
    with durable.lock(layout.task_lock(task_id), seconds=10, purpose="doctor"):
        if finding not in _leases(gathered(project, now=at)):
            return ""
        leases.free(layout, task_id)
    return f"freed what {task_id} had of the machine"


def _clear(project: Project, finding: Finding, at: datetime) -> str:  # noqa: ARG001 - as every mender
    with durable.try_lock(project.layout.pool_lock) as held:
        if held is None:
            return ""  # a refill is at it, and clears up first
        clear_made(project.layout)
        clear_taken(project.layout)
    return f"cleared away {finding.subject}"


LEFTOVERS = Family(_find, {"LEASE_LEFT": _free, "POOL_LEFT": _clear})
