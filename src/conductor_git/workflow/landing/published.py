"""A gated stack of landings is published: one move of the target's ref, then the record of each task says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from conductor_git import configguard
from conductor_git.errors import Blocked, ConfigChanged
from conductor_git.landing import evidence
from conductor_git.landing.change import changes, touches_config
from conductor_git.landing.gates import Judged
from conductor_git.landing.publish import checkout_of
from conductor_git.layout import CONFIG_NAME
from conductor_git.names import CommitId, TaskId
from conductor_git.run import Landing, Outcome, Phase, Run
from conductor_git.transition import message_of, note
from conductor_git.workflow.landing import cleanup
from conductor_git.workflow.landing.ground import Ground
from conductor_git.workflow.landing.joining import push_joined
from conductor_git.workflow.landing.moved import Move, put
from conductor_git.workflow.landing.outcome import block, complete, read_back
from conductor_git.workflow.landing.stack import Layer, landing_of
from conductor_git.workflow.landing.wish import Landed, Refused, Result, Terms


@dataclass(frozen=True, slots=True)
class Publishing:
    """Landings on the target as `found` has it. The lease is held, and the lock of every task."""

    terms: Terms
    found: Ground

    def publish(self, layers: Sequence[Layer], verdict: Judged) -> dict[TaskId, Result]:
        """Move the target to the top of `layers`; nothing where somebody else has moved it meanwhile.

        Where some of them are in the way of a person's files it is decided about those alone, and nothing has moved.
        """
        found, top = self.found, layers[-1].commit
        project, layout = self.terms.project, self.terms.project.layout
        landings = {layer.run.task_id: self._intent(layer, top, verdict) for layer in layers}
        try:
            checkout = checkout_of(project.git, layout, found.ref, layout.landing(top))
            if (checkout or found.config.push) and (changed := self._with_changed_config(layers)):
                return changed
            intend = partial(self._intend, landings, self._evidence(layers, verdict))
            listed = layers[0].merged.changes if len(layers) == 1 else changes(found.looking, found.tip, top)
            move = Move(found, top, listed, checkout, f"conductor-git: land {', '.join(landings)}")
            if not put(project, move, intend=intend, forget=partial(self._forget, landings)):
                return {}
        except Blocked as blocked:
            return self._blocked(layers, blocked)
        return self._all_completed(layers, landings)

    def refused_by_config(self, layers: Sequence[Layer]) -> dict[TaskId, Result]:
        """All of `layers`, where a config which changed would refuse them as things are: known before the gates run."""
        changed = self._with_changed_config(layers)
        if not changed or self.found.config.push:
            return changed
        layout = self.terms.project.layout
        there = checkout_of(self.terms.project.git, layout, self.found.ref, layout.landing(layers[-1].commit))
        return changed if there else {}

    def contained(self, run: Run) -> Landed:
        """End the landing of a task of which the target holds everything already."""
        found = self.found
        landing = Landing(
            found.tip,
            Phase.MERGE,
            found.strategy(self.terms.wish.strategy),
            target_before=found.tip,
            merge_commit=found.tip,
            cleanup=self.terms.wish.cleanup,
        )
        read_back(self.terms.project, found.target, found.tip)
        run = self._completed(run, landing, Outcome.ALREADY_LANDED)
        return cleaned(self.terms, run, Outcome.ALREADY_LANDED, ())

    def _intent(self, layer: Layer, top: CommitId, verdict: Judged) -> Landing:
        landing = landing_of(layer, self.found, top, cleanup=self.terms.wish.cleanup)
        return replace(landing, phase=Phase.PUBLISH, gates=verdict.results)

    def _intend(self, landings: dict[TaskId, Landing], why: evidence.Evidence, checkout: str | None) -> None:
        for task_id, landing in landings.items():
            landings[task_id] = replace(landing, checkout=checkout)
            self._note(task_id, landings[task_id])
        # After the records: recovery finds by their landing_id what a kill leaves of the writing.
        evidence.write(self.terms.project.layout, why)

    def _forget(self, task_ids: Iterable[TaskId]) -> None:
        for task_id in task_ids:
            self._note(task_id, None)

    def _note(self, task_id: TaskId, landing: Landing | None) -> None:
        note(self.terms.project, task_id, lambda now: replace(now, landing=landing), at=self.terms.at())

    def _with_changed_config(self, layers: Sequence[Layer]) -> dict[TaskId, Result]:
        try:
            configguard.require_all_agreed(self.terms.project.layout, self.found.entries)
        except ConfigChanged as changed:
            return {layer.run.task_id: Refused(layer.run, changed) for layer in layers}
        return {}

    def _blocked(self, layers: Sequence[Layer], blocked: Blocked) -> dict[TaskId, Result]:
        """Those whose own paths are in the way are BLOCKED; where none can be told from the others, all of them."""
        files = set(blocked.facts.get("files", ()))
        guilty = [layer for layer in layers if files.intersection(layer.merged.paths)] or layers
        results: dict[TaskId, Result] = {}
        for layer in guilty:
            mine = sorted(files.intersection(layer.merged.paths)) or sorted(files)
            error = Blocked(blocked.message, hint=blocked.hint, **{**blocked.facts, "files": mine})
            landing = landing_of(layer, self.found, layer.commit, cleanup=self.terms.wish.cleanup)
            block(self.terms.project, layer.run, landing, error, at=self.terms.at())
            results[layer.run.task_id] = Refused(layer.run, error)
        return results

    def _all_completed(self, layers: Sequence[Layer], landings: Mapping[TaskId, Landing]) -> dict[TaskId, Result]:
        runs = [self._completed(layer.run, landings[layer.run.task_id], Outcome.LANDED) for layer in layers]
        for run, layer in zip(runs, layers, strict=True):
            tell_config_change(self.terms, run, layer)
        said = push_joined(self.terms, self.found.config.push, runs[-1]) if self.found.config.push else ""
        return {
            run.task_id: cleaned(self.terms, run, Outcome.LANDED, layer.merged.paths, said)
            for run, layer in zip(runs, layers, strict=True)
        }

    def _completed(self, run: Run, landing: Landing, outcome: Outcome) -> Run:
        return complete(self.terms.project, run, landing, outcome, by=self.terms.by, at=self.terms.at())

    def _evidence(self, layers: Sequence[Layer], verdict: Judged) -> evidence.Evidence:
        return evidence.Evidence(
            landing_id=layers[-1].commit,
            target=self.found.target,
            target_before=self.found.tip,
            tree=verdict.tree,
            at=self.terms.at(),
            gates=verdict.results,
            landings=tuple(
                evidence.Entry(layer.run.task_id, layer.candidate.approved, layer.commit, layer.candidate.reviewers)
                for layer in layers
            ),
        )


def tell_config_change(terms: Terms, run: Run, layer: Layer) -> None:
    """Say on the bus, where the task changes the project's config, that what it says did not count for itself."""
    if touches_config(layer.merged.changes):
        words = f"{run.task_id} changes {CONFIG_NAME}: its gates count from the landing after this one on"
        terms.project.bus.append(message_of(run, "INFO", words, {"event": "config"}))
        terms.listener.config(run)


def cleaned(terms: Terms, run: Run, outcome: Outcome, paths: tuple[str, ...], push_error: str = "") -> Landed:
    """The result of a landing that is on record, once its worktree and branch were seen to, where that was asked."""
    wanted = run.landing is not None and run.landing.cleanup
    fate = cleanup.clean_up(terms.project, run, at=terms.at()) if wanted else None
    return Landed(run, outcome, fate, paths, push_error)
