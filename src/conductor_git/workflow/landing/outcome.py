"""How a landing ends: COMPLETED, bounced or blocked, on record first and then on the bus."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from conductor_git import durable
from conductor_git.actor import Actor
from conductor_git.errors import Blocked, GitFailed
from conductor_git.history import is_contained, tip_of
from conductor_git.names import CommitId, readable, short
from conductor_git.project import Project
from conductor_git.run import Event, Landing, Outcome, Phase, Run
from conductor_git.transition import following, message_of, move, note
from conductor_git.workflow.landing.undone import tell_undone

_NOTE_LIMIT: Final = 2000


def read_back(project: Project, target: str, commit: CommitId) -> None:
    """Look that `target` holds `commit`, then sync its file system: what follows may say that it has landed."""
    tip = tip_of(project.git, f"refs/heads/{target}")
    if tip is None or (tip != commit and not is_contained(project.git, commit, tip)):
        raise GitFailed(
            f"{target} does not hold {short(commit)} after the landing: somebody moved it back",
            hint=f"git reflog {shlex.quote(target)}",
            target=target,
            commit=commit,
        )
    durable.sync_filesystem(project.layout.common_dir)


def complete(project: Project, run: Run, landing: Landing, outcome: Outcome, *, by: Actor, at: datetime) -> Run:
    """Write COMPLETED and LANDED; what landed was read back before."""
    commit = landing.merge_commit
    assert commit is not None
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
        note=readable(_shortened(why)),
        also=lambda now: replace(now, approved_commit=None, landing=ended),
    )
    with following(run):
        tell_outcome(project, run)
    return run


def _shortened(why: str) -> str:
    """The first line and, of a long rest, the end: a log says last what went wrong."""
    first, line_end, rest = why.partition("\n")
    return why if len(why) <= _NOTE_LIMIT else f"{first[:_NOTE_LIMIT]}{line_end}\n…{rest[-_NOTE_LIMIT:]}"


def block(project: Project, run: Run, landing: Landing, blocked: Blocked, *, at: datetime) -> None:
    """Record what blocks; the task stays APPROVED, and the error carries the task and the outcome from here on."""
    files = tuple(map(readable, blocked.facts.get("files", ())))
    there = blocked.facts.get("checkout")
    ended = replace(landing, phase=Phase.ENDED, outcome=Outcome.BLOCKED, files=files, checkout=there, merge_commit=None)
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
    teller = _TELLERS.get(run.history[-1].event)
    if teller is None or run.landing is None or run.landing.outcome is None:
        return
    told = project.bus.tail(1, types=("LANDED", "BOUNCED", "UNDONE"), task_id=run.task_id)
    if not told or told[-1].meta.get("step") != str(len(run.history)):
        teller(project, run)


_TELLERS: Final[Mapping[Event, Callable[[Project, Run], None]]] = {
    Event.MERGE: tell_outcome,
    Event.BOUNCE: tell_outcome,
    Event.UNDO: tell_undone,
}
