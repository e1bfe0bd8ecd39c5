"""How a landing ends: COMPLETED, bounced or blocked, on record first and then on the bus."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from conductor_git import durable
from conductor_git.actor import Actor
from conductor_git.errors import Blocked, GitFailed
from conductor_git.history import is_contained, tip_of
from conductor_git.names import readable, short
from conductor_git.project import Project
from conductor_git.run import Event, Landing, Outcome, Phase, Run
from conductor_git.transition import following, message_of, move, note

_NOTE_LIMIT = 2000


def complete(project: Project, run: Run, landing: Landing, outcome: Outcome, *, by: Actor, at: datetime) -> Run:
    """Write COMPLETED and LANDED, once the target was read back to hold the commit and its file system is synced."""
    commit = landing.merge_commit
    tip = tip_of(project.git, run.target_ref)
    assert commit is not None
    if tip is None or (tip != commit and not is_contained(project.git, commit, tip)):
        raise GitFailed(
            f"{run.target} does not hold {short(commit)} after the landing: somebody moved it back",
            hint=f"conductor-git merge {run.task_id}",
            task_id=run.task_id,
        )
    durable.sync_filesystem(project.layout.common_dir)
    ended = replace(landing, phase=Phase.CLEANUP if landing.cleanup else Phase.ENDED, outcome=outcome)
    run = move(
        project,
        run.task_id,
        Event.MERGE,
        at=at,
        by=by.name,
        commit=commit,
        also=lambda now: replace(now, merge_commit=commit, landing=ended),
    )
    with following(run):
        tell_outcome(project, run)
    return run


def bounce(project: Project, run: Run, landing: Landing, outcome: Outcome, why: str, *, by: Actor, at: datetime) -> Run:
    """Send the task back to WORKING with `why`; nothing of it is approved any more."""
    ended = replace(landing, phase=Phase.ENDED, outcome=outcome, files=tuple(map(readable, landing.files)))
    run = move(
        project,
        run.task_id,
        Event.BOUNCE,
        at=at,
        by=by.name,
        commit=run.approved_commit,
        note=readable(why[:_NOTE_LIMIT]),
        also=lambda now: replace(now, approved_commit=None, landing=ended),
    )
    with following(run):
        tell_outcome(project, run)
    return run


def block(project: Project, run: Run, landing: Landing, blocked: Blocked, *, at: datetime) -> None:
    """Record what blocks; the task stays APPROVED, and the error carries the task and the outcome from here on."""
    files = tuple(map(readable, blocked.facts.get("files", ())))
    ended = replace(landing, phase=Phase.ENDED, outcome=Outcome.BLOCKED, files=files, merge_commit=None)
    note(project, run.task_id, lambda now: replace(now, landing=ended), at=at)
    blocked.facts |= {"task_id": run.task_id, "outcome": str(Outcome.BLOCKED)}


def tell_outcome(project: Project, run: Run) -> None:
    """Post the LANDED or BOUNCED message of the step that ended the last landing."""
    step = run.history[-1]
    assert run.landing is not None
    assert run.landing.outcome is not None
    meta = {"outcome": str(run.landing.outcome), "by": step.by, "step": str(len(run.history)), "target": run.target}
    if step.commit:
        meta["commit"] = step.commit
    if step.event is Event.MERGE:
        project.bus.append(message_of(run, "LANDED", f"{run.task_id} is on {run.target} as {short(step.commit)}", meta))
    else:
        project.bus.append(message_of(run, "BOUNCED", step.note or str(run.landing.outcome), meta))


def tell_missing_outcome(project: Project, run: Run) -> None:
    """For recovery: post what `tell_outcome` would have, unless the bus has it. Safe to repeat."""
    if run.landing is None or run.landing.outcome is None or run.history[-1].event not in (Event.MERGE, Event.BOUNCE):
        return
    told = project.bus.tail(1, types=("LANDED", "BOUNCED"), task_id=run.task_id)
    if not told or told[-1].meta.get("step") != str(len(run.history)):
        tell_outcome(project, run)
