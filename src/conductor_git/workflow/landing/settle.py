"""What became of a landing that was on its way when everything stopped: the target tells, and the rest follows it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from conductor_git import worktree
from conductor_git.actor import COORDINATOR
from conductor_git.history import is_contained, tip_of
from conductor_git.landing import checkout as checkouts
from conductor_git.landing.checkout import Checkout
from conductor_git.project import Project
from conductor_git.run import Landing, Outcome, Phase, Run, State
from conductor_git.transition import note
from conductor_git.workflow.landing.outcome import complete


def settle(project: Project, run: Run, *, at: datetime) -> Run:
    """Finish the landing of `run` whose commit is on the target; take back one whose commit is not. Safe to repeat.

    Call it with the task's lock held. It needs no lease: what it writes in a checkout it writes under the
    `index.lock` that the landing left there, which keeps every other landing and every git command out.
    """
    landing = run.landing
    if landing is None or landing.phase is not Phase.PUBLISH or run.state is not State.APPROVED:
        return run
    assert landing.merge_commit is not None
    assert landing.target_before is not None
    tip = tip_of(project.git, run.target_ref)
    there = checkout_in(project, landing)
    if tip is not None and is_contained(project.git, landing.merge_commit, tip):
        if there is not None:
            checkouts.finish(there)
        return complete(project, run, landing, Outcome.LANDED, by=COORDINATOR, at=at)
    if there is not None:
        checkouts.mend(project.git, there, landing.target_before, landing.merge_commit)
    return note(project, run.task_id, lambda now: replace(now, landing=None), at=at)


def checkout_in(project: Project, landing: Landing) -> Checkout | None:
    """The person's checkout that the landing was about to fast-forward, as its record names it."""
    if landing.checkout is None or landing.merge_commit is None:
        return None
    path, scratch = Path(landing.checkout), project.layout.landing(landing.merge_commit)
    return Checkout(path, worktree.registered_git_dir(project.layout, path) or project.layout.common_dir, scratch)
