"""How the undoing of a landing ends: the task is CANCELLED, and its branch is there again with the change on top."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from conductor_git import integration
from conductor_git.actor import Actor
from conductor_git.history import tip_of
from conductor_git.landing.revert import reapplied
from conductor_git.names import CommitId, short
from conductor_git.project import Project
from conductor_git.run import Event, Outcome, Phase, Run
from conductor_git.transition import following, message_of, move


def complete_undo(project: Project, run: Run, *, by: Actor, at: datetime) -> Run:
    """Write CANCELLED and UNDONE; `run.undo`, which is on record, was read back on the target before.

    Safe to repeat. The step's note is why: the words of whoever undid it, where there are any.
    """
    assert run.undo is not None
    assert run.undo.merge_commit is not None
    commit = run.undo.merge_commit
    offered = offer_branch(project, run, commit)
    why = run.reason or f"its landing was undone by {short(commit)}"
    ended = replace(run.undo, phase=Phase.ENDED, outcome=Outcome.LANDED)
    run = move(
        project,
        run.task_id,
        Event.UNDO,
        at=at,
        by=by.name,
        commit=commit,
        note=why,
        also=lambda now: replace(
            now,
            undo=ended,
            approved_commit=None,
            reason=why,
            base_commit=commit if offered else now.base_commit,
        ),
    )
    with following(run):
        tell_undone(project, run)
    return run


def tell_undone(project: Project, run: Run) -> None:
    """Post the UNDONE message of the step that took the landing back."""
    step = run.history[-1]
    assert run.undo is not None
    meta = {"commit": str(run.undo.merge_commit), "landed": str(run.merge_commit), "by": step.by, "target": run.target}
    words = f"{run.task_id} is taken off {run.target} again by {short(run.undo.merge_commit)}"
    project.bus.append(message_of(run, "UNDONE", words, meta | {"step": str(len(run.history))}))


def offer_branch(project: Project, run: Run, undone: CommitId) -> bool:
    """Make the task's branch again, with the change on top of `undone`; False where a branch of its own stayed.

    A branch that is there is somebody's, and is left as it is.
    """
    tip = tip_of(project.git, run.branch_ref)
    if tip is not None:
        return tip_of(project.git, f"{run.branch_ref}^") == undone  # made by us, before a kill
    looking = integration.opened(project.layout, project.git)
    words = f"Apply {run.task_id} again: {run.title}"
    commit = reapplied(looking, undone, words, [f"Task-Id: {run.task_id}"])
    project.git.run("update-ref", "--no-deref", "--create-reflog", run.branch_ref, commit, "0" * len(commit))
    return True
