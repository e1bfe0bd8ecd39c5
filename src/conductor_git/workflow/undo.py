"""undo: take a landing back by a new commit on its target; nothing is ever taken off by moving the target backwards."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from conductor_git import configguard, journal
from conductor_git.actor import Actor
from conductor_git.errors import Conflict, NothingToUndo
from conductor_git.landing import evidence
from conductor_git.landing.gates import Judged
from conductor_git.landing.mergetree import Merged
from conductor_git.landing.publish import checkout_of
from conductor_git.landing.revert import Revert, revert
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project
from conductor_git.run import Event, Landing, Outcome, Phase, Run, State, Strategy, illegal
from conductor_git.transition import note
from conductor_git.workflow.landing.gating import require_green
from conductor_git.workflow.landing.ground import Ground, ground
from conductor_git.workflow.landing.joining import push_joined
from conductor_git.workflow.landing.moved import MOVED_TARGET_TRIES, Move, moved_too_often, put
from conductor_git.workflow.landing.settle import settle
from conductor_git.workflow.landing.undone import complete_undo
from conductor_git.workflow.landing.wish import Listener, Terms, Wish
from conductor_git.workflow.turn import turn


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of an undo: the record, the commit that takes the landing back, and the paths it changes."""

    run: Run
    commit: CommitId
    paths: tuple[str, ...] = ()
    push_error: str = ""


def undo(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: Callable[[], datetime],
    why: str = "",
    wish: Wish | None = None,
    listener: Listener | None = None,
) -> Undone:
    """Revert the landing of `task_id` on its target: merged in memory, gated, published by compare-and-swap.

    The task is CANCELLED then, and its branch is there again with the change on top, so that `retry` goes on from it.
    `Conflict` (something later touched the same lines), `GateFailed` and `Blocked` leave everything as it was.
    """
    wish, listener = wish or Wish(), listener or Listener()
    first = project.runs.get(task_id)
    require_landed(first)
    with (
        turn(project, first.target, task_id, wish=wish, listener=listener, at=at) as held,
        journal.operation(project.layout, task_id, "undo", seconds=wish.wait_seconds) as lock,
    ):
        terms = Terms(project.holding(held, lock), by, at, wish, listener)
        return _Undoing(terms, task_id, why).undo()


def require_landed(run: Run) -> None:
    """Only what has landed, and brought something, can be taken back."""
    if run.state is not State.COMPLETED or run.review_of is not None:
        raise illegal(run, Event.UNDO, f"{run.task_id} is {run.state}; only what has landed can be undone")
    if run.landing is None or run.landing.outcome is not Outcome.LANDED or run.landing.target_before is None:
        raise NothingToUndo(
            f"{run.target} held everything of {run.task_id} before, so its landing brought nothing to take back",
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
        )


@dataclass(frozen=True, slots=True)
class _Undoing:
    """One undo with the lease of the target and the task's lock held."""

    terms: Terms
    task_id: TaskId
    why: str

    def undo(self) -> Undone:
        run = settle(self.terms.project, self.terms.project.runs.get(self.task_id), at=self.terms.at())
        if run.state is State.CANCELLED and run.undo is not None and run.undo.merge_commit is not None:
            return Undone(run, run.undo.merge_commit)  # by the one we waited for, or before a power cut
        require_landed(run)
        for _ in range(MOVED_TARGET_TRIES):
            if (undone := self._try(run)) is not None:
                return undone
        raise moved_too_often(
            run.target, f"{run.task_id} was undone", hint=f"conductor-git undo {run.task_id}", task_id=run.task_id
        )

    def _try(self, run: Run) -> Undone | None:
        terms = self.terms
        found = ground(terms.project, run.target)
        merged = self._reverted(run, found)
        if terms.wish.dry_run:
            return Undone(run, merged.commit, merged.paths)
        verdict = require_green(terms, found, merged.commit, run)
        undoing = Landing(
            merged.commit,
            Phase.PUBLISH,
            Strategy.MERGE,
            target_before=found.tip,
            merge_commit=merged.commit,
            gates=verdict.results,
        )
        if not self._put(run, found, merged, undoing, verdict):
            return None
        now = terms.project.runs.get(run.task_id)
        run = complete_undo(terms.project, now, by=terms.by, at=terms.at())
        said = push_joined(terms, found.config.push, run) if found.config.push else ""
        return Undone(run, merged.commit, merged.paths, said)

    def _reverted(self, run: Run, found: Ground) -> Merged:
        assert run.landing is not None
        assert run.landing.target_before is not None
        assert run.merge_commit is not None
        plan = Revert(
            target=found.tip,
            landed=run.merge_commit,
            landed_on=run.landing.target_before,
            message=f"Undo {run.task_id}: {run.title}" + (f"\n\n{self.why}" if self.why else ""),
            trailers=(f"Task-Id: {run.task_id}", f"Undoes: {run.merge_commit}", *found.gate_trailers),
            signs=found.entries.signs,
        )
        try:
            merged = revert(found.looking, plan)
        except Conflict as conflict:
            files = conflict.facts["files"]
            raise Conflict(
                f"what landed since {short(run.merge_commit)} touched the same lines in {', '.join(files[:5])}",
                hint=f"git log {run.merge_commit}..{shlex.quote(run.target)} -- {shlex.quote(files[0])}",
                task_id=run.task_id,
                outcome=str(Outcome.CONFLICT),
                files=files,
            ) from conflict
        if merged.commit == found.tip:
            raise NothingToUndo(
                f"{run.target} holds nothing of {run.task_id} any more",
                hint=f"conductor-git show {run.task_id}",
                task_id=run.task_id,
            )
        return merged

    def _put(self, run: Run, found: Ground, merged: Merged, undoing: Landing, verdict: Judged) -> bool:
        layout = self.terms.project.layout
        checkout = checkout_of(self.terms.project.git, layout, found.ref, layout.landing(merged.commit))
        if checkout is not None or found.config.push:
            configguard.require_all_agreed(layout, found.entries, run.task_id)
        why = _evidence(run, found, undoing, verdict, self.terms.at())
        move = Move(found, merged.commit, merged.changes, checkout, f"conductor-git: undo {run.task_id}")
        return put(
            self.terms.project, move, intend=partial(self._intend, run, undoing, why), forget=partial(self._forget, run)
        )

    def _intend(self, run: Run, undoing: Landing, why: evidence.Evidence, checkout: str | None) -> None:
        self._note(run, replace(undoing, checkout=checkout), self.why or None)
        evidence.write(self.terms.project.layout, why)

    def _forget(self, run: Run) -> None:
        self._note(run, run.undo, run.reason)

    def _note(self, run: Run, undo: Landing | None, reason: str | None) -> None:
        terms = self.terms
        note(terms.project, run.task_id, lambda now: replace(now, undo=undo, reason=reason), at=terms.at())


def _evidence(run: Run, found: Ground, undoing: Landing, verdict: Judged, at: datetime) -> evidence.Evidence:
    return evidence.Evidence(
        landing_id=undoing.landing_id,
        target=found.target,
        target_before=found.tip,
        tree=verdict.tree,
        at=at,
        gates=verdict.results,
        landings=(evidence.Entry(run.task_id, CommitId(undoing.landing_id), CommitId(undoing.landing_id), ()),),
    )
