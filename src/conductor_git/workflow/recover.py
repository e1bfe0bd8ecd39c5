"""What a kill interrupted is finished or taken back here; every command that opens a project calls it first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import configguard, directories, durable, gitlocks, integration, journal, leases, worktree
from conductor_git.errors import BadRecord, ConductorError
from conductor_git.journal import Intent
from conductor_git.landing import gates
from conductor_git.layout import SALVAGE_REFS, Layout
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Phase, Run, State
from conductor_git.transition import tell_missing
from conductor_git.undo_spawn import is_only_a_spawns, remove_half_made
from conductor_git.workflow.agent_review import reviewed
from conductor_git.workflow.landing import cleanup
from conductor_git.workflow.landing.outcome import tell_missing_outcome
from conductor_git.workflow.landing.settle import checkout_in, settle
from conductor_git.workflow.restoring import place


def recover(project: Project, *, at: datetime) -> tuple[TaskId, ...]:
    """Mend every operation that was killed; returns the tasks mended. Costs one directory read where none was.

    An operation that is alive is left alone (its lock is held). Any number of processes may call this at once, and a
    kill in here is mended by the next one. What cannot be mended keeps none of the others from it; the first of such
    refusals is raised at the end.
    """
    mended: list[TaskId] = []
    refused: list[ConductorError] = []
    for task_id in journal.pending(project.layout):
        try:
            mended += [task_id] if _mended(project, task_id, at) else []
        except BadRecord:
            continue  # its own commands say so
        except ConductorError as trouble:
            refused.append(trouble)
    if refused:
        raise refused[0]
    return tuple(mended)


def _mended(project: Project, task_id: TaskId, at: datetime) -> bool:
    with journal.interrupted(project.layout, task_id) as found:
        if found is None:
            return False
        intent, held = found
        _drop_temporary_files(project.layout, task_id)
        _mend(project.holding(held), intent, at)
        journal.forget(project.layout, task_id)
        return True


def _mend(project: Project, intent: Intent, at: datetime) -> None:
    task_id = intent.task_id
    if not project.layout.run_info(task_id).exists():
        if intent.verb == "spawn" and is_only_a_spawns(project, intent.facts):
            remove_half_made(project, task_id, intent.facts, killed=True)
        return
    run = project.runs.get(task_id)
    _free_locks(project, run)
    _drop_half_evidence(project, run)
    mend = _MENDERS.get(intent.verb)
    if mend is not None:
        mend(project, run, at)
    run = project.runs.get(task_id)
    tell_missing(project, run)
    tell_missing_outcome(project, run)


def _drop_temporary_files(layout: Layout, task_id: TaskId) -> None:
    """Remove the temporary files of writes that were killed, each kind under the lock that guards its writes."""
    worktree.drop_temporary_exclude(layout)
    integration.drop_temporaries(layout)
    integration.drop_scratch(layout)
    leases.drop_temporary_files(layout)
    configguard.drop_temporary_files(layout)
    record = layout.run_info(task_id)
    if not record.parent.is_dir():
        return
    with durable.lock(record.with_name(f"{record.name}.lock"), purpose="recover"):
        for leftover in directories.below(record.parent):
            if leftover.match(".*.tmp"):
                leftover.unlink(missing_ok=True)


def _free_locks(project: Project, run: Run) -> None:
    """Move aside the git locks that a killed git process of this operation can have left."""
    layout = project.layout
    locks = list(gitlocks.ref_locks(layout, run.branch_ref, run.target_ref))
    locks += directories.matching(layout.common_dir, f"{SALVAGE_REFS}{run.task_id}/*.lock")
    git_dir = worktree.registered_git_dir(layout, Path(run.worktree))
    if git_dir is not None:
        locks += directories.matching(git_dir, "*.lock")
    for landing in run.landings:
        there = checkout_in(project, landing)
        if there is not None:
            locks.append(there.git_dir / "HEAD.lock")  # its `index.lock` is ours, and settled with the landing
    gitlocks.clear(layout, locks, label=run.task_id)


def _drop_half_evidence(project: Project, run: Run) -> None:
    for landing in run.landings:
        durable.drop_temporaries(project.layout.evidence(landing.landing_id))


def _mend_landing(project: Project, run: Run, at: datetime) -> None:
    """Finish a landing whose commit is on the target; take back one whose commit is not."""
    gates.settle(project.layout, run.target)
    run = settle(project, run, at=at)
    if run.state is State.COMPLETED and run.landing and run.landing.phase is Phase.CLEANUP:
        cleanup.clean_up(project, run, at=at)


_MENDERS: Final[Mapping[str, Callable[[Project, Run, datetime], None]]] = {
    "merge": _mend_landing,
    "undo": _mend_landing,
    # An intent that a power cut emptied: the record tells whether a landing was under way.
    "unknown": _mend_landing,
    "restore": place.mend,
    **dict.fromkeys(reviewed.MENDED, reviewed.mend),
}
