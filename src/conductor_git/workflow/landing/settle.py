"""What became of a landing that was on its way when everything stopped: the target tells, and the rest follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from conductor_git import configguard, durable, worktree
from conductor_git.actor import COORDINATOR
from conductor_git.history import is_contained, tip_of
from conductor_git.integration import shared_config
from conductor_git.landing import checkout as checkouts
from conductor_git.landing.checkout import Checkout
from conductor_git.names import CommitId
from conductor_git.project import Project
from conductor_git.run import Landing, Outcome, Phase, Run, State
from conductor_git.transition import note
from conductor_git.workflow.landing.outcome import complete, read_back
from conductor_git.workflow.landing.undone import complete_undo


def settle(project: Project, run: Run, *, at: datetime) -> Run:
    """Finish the landing of `run`, or its undoing, whose commit is on the target; take back one whose commit is not.

    Safe to repeat. Call it with the task's lock held. It needs no lease: what it writes in a checkout it writes under
    the `index.lock` that the landing left there, which keeps every other landing and every git command out.
    """
    landing, undo = run.landing, run.undo
    if run.state is State.APPROVED and landing is not None and landing.phase is Phase.PUBLISH:
        if _has_arrived(project, run, landing):
            return complete(project, run, landing, Outcome.LANDED, by=COORDINATOR, at=at)
        return note(project, run.task_id, lambda now: replace(now, landing=None), at=at)
    if run.state is State.COMPLETED and undo is not None and undo.phase is Phase.PUBLISH:
        if _has_arrived(project, run, undo):
            return complete_undo(project, run, by=COORDINATOR, at=at)
        return note(project, run.task_id, lambda now: replace(now, undo=None, reason=None), at=at)
    if run.join is not None and run.join.phase is Phase.PUBLISH:
        ended = replace(run.join, phase=Phase.ENDED, outcome=Outcome.LANDED)
        joined = ended if _has_arrived(project, run, run.join) else None
        return note(project, run.task_id, lambda now: replace(now, join=joined), at=at)
    return run


def _has_arrived(project: Project, run: Run, landing: Landing) -> bool:
    """Whether the target holds what was about to land; the checkout that was to go along is finished or put back.

    The tasks of one batch share that checkout, and two commands may be settling two of them.
    """
    assert landing.merge_commit is not None
    base = landing.batch_base or landing.target_before
    assert base is not None
    with durable.lock(project.layout.settling(run.target), seconds=60, purpose=f"settle {run.task_id}"):
        tip = tip_of(project.git, run.target_ref)
        there = checkout_in(project, landing)
        if tip is not None and is_contained(project.git, landing.merge_commit, tip):
            if there is not None:
                checkouts.finish(there)
            read_back(project, run.target, landing.merge_commit)
            return True
        if there is not None:
            # Mending writes files, and the config may have been poisoned since.
            git = configguard.quieted(project.git, project.layout, shared_config(project.git))
            checkouts.mend(git, there, base, CommitId(landing.landing_id))
        return False


def checkout_in(project: Project, landing: Landing) -> Checkout | None:
    """The person's checkout that the landing was about to fast-forward, as its record names it."""
    if landing.checkout is None or landing.merge_commit is None:
        return None
    path, scratch = Path(landing.checkout), project.layout.landing(landing.landing_id)
    return Checkout(path, worktree.registered_git_dir(project.layout, path) or project.layout.common_dir, scratch)
