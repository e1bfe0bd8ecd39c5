"""What a remote has gained, joined to the target by the steps of a landing, so that it can be pushed to plainly."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import partial

from conductor_git import configguard
from conductor_git.landing.mergetree import Merged, Plan, merge
from conductor_git.landing.publish import checkout_of
from conductor_git.names import CommitId
from conductor_git.run import Landing, Outcome, Phase, Run, Strategy
from conductor_git.transition import note
from conductor_git.workflow.landing.gating import require_green
from conductor_git.workflow.landing.ground import Ground, ground
from conductor_git.workflow.landing.moved import MOVED_TARGET_TRIES, Move, moved_too_often, put
from conductor_git.workflow.landing.push import push
from conductor_git.workflow.landing.wish import Terms


def push_joined(terms: Terms, remote: str, run: Run) -> str:
    """Push the target of `run`, which has just landed; returns what was said against it, empty where it went through.

    Commits that the remote has and the target lacks are merged into the target first, gated like a landing. The lease
    of the target and the lock of `run` are held.
    """
    return push(terms.project, remote, run, _Joining(terms, remote, run).join)


@dataclass(frozen=True, slots=True)
class _Joining:
    """One push's way of bringing what the remote has onto the target."""

    terms: Terms
    remote: str
    run: Run

    def join(self, theirs: CommitId) -> CommitId:
        """Merge `theirs` into the target and return its new tip; a refusal has moved nothing."""
        for _ in range(MOVED_TARGET_TRIES):
            found = ground(self.terms.project, self.run.target)
            merged = merge(found.looking, self._plan(found, theirs))
            if merged.commit == found.tip or self._published(found, merged):
                return merged.commit
        hint = f"git push {shlex.quote(self.remote)} {shlex.quote(self.run.target)}"
        raise moved_too_often(self.run.target, f"it was joined with {self.remote}", hint=hint)

    def _plan(self, found: Ground, theirs: CommitId) -> Plan:
        return Plan(
            target=found.tip,
            target_tree=found.tree,
            approved=theirs,
            strategy=Strategy.MERGE,
            message=f"Join {self.remote}/{found.target}",
            trailers=(f"Joins: {theirs}", *found.gate_trailers),
            signs=found.entries.signs,
        )

    def _published(self, found: Ground, merged: Merged) -> bool:
        project, layout = self.terms.project, self.terms.project.layout
        require_green(self.terms, found, merged.commit, self.run)
        checkout = checkout_of(project.git, layout, found.ref, layout.landing(merged.commit))
        if checkout is not None:
            configguard.require_all_agreed(layout, found.entries, self.run.task_id)
        joining = Landing(
            merged.commit, Phase.PUBLISH, Strategy.MERGE, target_before=found.tip, merge_commit=merged.commit
        )
        move = Move(found, merged.commit, merged.changes, checkout, f"conductor-git: join {self.remote}")
        done = put(project, move, intend=partial(self._intend, joining), forget=partial(self._note, None))
        if done:
            self._note(replace(joining, phase=Phase.ENDED, outcome=Outcome.LANDED))
        return done

    def _intend(self, joining: Landing, checkout: str | None) -> None:
        self._note(replace(joining, checkout=checkout))

    def _note(self, joining: Landing | None) -> None:
        note(self.terms.project, self.run.task_id, lambda now: replace(now, join=joining), at=self.terms.at())
