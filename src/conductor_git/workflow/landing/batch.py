"""Landing tasks together on one target: stacked in memory, gated once on the top, published by one move of the ref.

Whoever calls holds the lease of the target and the lock of every task. Each step that a kill would leave in question
is on the records before it is taken (`landing.phase`), so that `settle` can tell by the target what became of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from conductor_git.errors import Blocked, ConductorError, Conflict, GitKilled, Unfinished
from conductor_git.landing import bisect
from conductor_git.landing.gates import Judged
from conductor_git.names import TaskId
from conductor_git.run import Landing, Outcome, Phase, Run, State
from conductor_git.workflow.landing.candidate import Candidate, candidate, missing_needs, needs_unmet
from conductor_git.workflow.landing.gating import gate_failed, judged, why_red
from conductor_git.workflow.landing.ground import Ground, ground
from conductor_git.workflow.landing.moved import MOVED_TARGET_TRIES, moved_too_often
from conductor_git.workflow.landing.outcome import bounce
from conductor_git.workflow.landing.published import Publishing, cleaned, tell_config_change
from conductor_git.workflow.landing.settle import settle
from conductor_git.workflow.landing.stack import Layer, Stack, how_to_resolve, landing_of, stack
from conductor_git.workflow.landing.wish import Landed, Refused, Result, Terms


@dataclass(frozen=True, slots=True)
class Batch:
    """Tasks that are landed on `target` together; `land` decides about every one of them."""

    terms: Terms
    target: str

    def land(self, task_ids: Sequence[TaskId]) -> tuple[Result, ...]:
        """Land `task_ids` in this order as far as they can; one result each.

        What goes wrong for one task is its own result and keeps none of the others, except what needs it. A git of
        ours that was killed, or a record or the message on it that could not be written, is raised, and recovery goes
        on from there.
        """
        results: dict[TaskId, Result] = {}
        tries = MOVED_TARGET_TRIES
        while left := [task_id for task_id in task_ids if task_id not in results]:
            decided = self._round(left)
            tries -= 0 if decided else 1
            if not tries:
                decided = {run.task_id: Refused(run, self._moved_too_often(run.task_id)) for run in self._runs(left)}
            results |= decided
            for result in decided.values():
                self.terms.listener.result(result)
        return tuple(results[task_id] for task_id in task_ids)

    def _moved_too_often(self, task_id: TaskId) -> Blocked:
        hint = f"conductor-git merge {task_id}"
        return moved_too_often(self.target, f"{task_id} was landing", hint=hint, task_id=task_id)

    def _runs(self, task_ids: Iterable[TaskId]) -> list[Run]:
        return [self.terms.project.runs.get(task_id) for task_id in task_ids]

    def _round(self, left: Sequence[TaskId]) -> dict[TaskId, Result]:
        """What can be decided about `left` on the target as it is now; nothing where it moved meanwhile."""
        results, runs = self._settled(left)
        if not runs:
            return results
        found = ground(self.terms.project, self.target, runs)
        candidates: list[Candidate] = []
        for run in runs:
            try:
                candidates.append(self._candidate(run, found, left, results))
            except (GitKilled, Unfinished):
                raise
            except ConductorError as refused:
                results[run.task_id] = Refused(run, refused)
        built = stack(found, candidates, self.terms.wish.strategy)
        unable = [one for one in candidates if one.run.task_id in built.refused]
        results |= {one.run.task_id: self._refused(one, found, built) for one in unable}
        if self.terms.wish.dry_run:
            return results | self._looked_at(built, candidates, results)
        publishing = Publishing(self.terms, found)
        results |= {one.run.task_id: publishing.contained(one.run) for one in built.contained}
        return results | (self._landed(publishing, built.layers) if built.layers else {})

    def _settled(self, left: Sequence[TaskId]) -> tuple[dict[TaskId, Result], list[Run]]:
        """The records of `left`; what landed already, by the one we waited for or before a power cut, is a result.

        A kill leaves its intent in the journal. A power cut can take that and leave the record, so we look here too.
        """
        results: dict[TaskId, Result] = {}
        runs: list[Run] = []
        for before in self._runs(left):
            run = settle(self.terms.project, before, at=self.terms.at())
            if run.state is not State.COMPLETED:
                runs.append(run)
            elif before.state is State.COMPLETED:
                results[run.task_id] = Landed(run, Outcome.ALREADY_LANDED)
            else:
                results[run.task_id] = cleaned(self.terms, run, Outcome.LANDED, ())
        return results, runs

    def _candidate(
        self, run: Run, found: Ground, left: Sequence[TaskId], results: Mapping[TaskId, Result]
    ) -> Candidate:
        terms = self.terms
        tip = found.branch_tips[run.task_id]
        one = candidate(terms.project, run, tip, by=terms.by, at=terms.at(), look_only=terms.wish.dry_run)
        if run.needs and not terms.wish.ignore_needs:
            coming = {task_id for task_id in left[: left.index(run.task_id)] if task_id not in results}
            if missing := tuple(need for need in missing_needs(terms.project, run) if need not in coming):
                raise needs_unmet(run, missing)
        return one

    def _refused(self, one: Candidate, found: Ground, built: Stack) -> Refused:
        """A task that cannot land for itself; a conflict sends it back to its worker, with the way out."""
        run, error = one.run, built.refused[one.run.task_id]
        if isinstance(error, Conflict):
            error.facts |= {"task_id": run.task_id, "outcome": str(Outcome.CONFLICT)}
            if not self.terms.wish.dry_run:
                strategy = found.strategy(self.terms.wish.strategy)
                files = tuple(error.facts["files"])
                landing = Landing("", Phase.MERGE, strategy, target_before=found.tip, files=files)
                run = self._bounced(run, landing, Outcome.CONFLICT, error.message, how_to_resolve(run, error, strategy))
        return Refused(run, error)

    def _bounced(self, run: Run, landing: Landing, outcome: Outcome, why: str, more: str) -> Run:
        terms = self.terms
        return bounce(terms.project, run, landing, outcome, f"{why}\n\n{more}", by=terms.by, at=terms.at())

    def _looked_at(
        self, built: Stack, candidates: Sequence[Candidate], results: Mapping[TaskId, Result]
    ) -> dict[TaskId, Result]:
        """What a dry run tells of those that nothing is decided about yet."""
        would: dict[TaskId, Result] = {
            layer.run.task_id: Landed(layer.run, Outcome.LANDED, paths=layer.merged.paths) for layer in built.layers
        }
        would |= {one.run.task_id: Landed(one.run, Outcome.ALREADY_LANDED) for one in built.contained}
        for one in candidates:
            if one.run.task_id not in would and one.run.task_id not in results:
                would[one.run.task_id] = Refused(one.run, _behind_another(one.run))
        return would

    def _landed(self, publishing: Publishing, layers: Sequence[Layer]) -> dict[TaskId, Result]:
        """Gate the stack, publish what is green of it, bounce the layer that turned it red."""
        found = publishing.found
        if found.config.gates and (refused := publishing.refused_by_config(layers)):
            return refused
        verdicts: dict[int, Judged] = {}

        def is_green(count: int) -> bool:
            runs = [layer.run for layer in layers[:count]]
            verdicts[count] = judged(self.terms, found, layers[count - 1].commit, runs)
            return verdicts[count].passed

        green = bisect.greens(len(layers), is_green)
        results = publishing.publish(layers[:green], verdicts[green]) if green else {}
        # Red on top of what has not landed says nothing yet.
        if green < len(layers) and all(isinstance(results.get(layer.run.task_id), Landed) for layer in layers[:green]):
            red = layers[green]
            results[red.run.task_id] = self._red(found, red, verdicts[green + 1])
        return results

    def _red(self, found: Ground, layer: Layer, verdict: Judged) -> Refused:
        error = gate_failed(layer.run, verdict)
        landing = landing_of(layer, found, layer.commit, cleanup=self.terms.wish.cleanup)
        landing = replace(landing, gates=verdict.results)
        run = self._bounced(layer.run, landing, Outcome.GATE_FAILED, why_red(verdict), error.facts["log_end"])
        tell_config_change(self.terms, run, layer)
        return Refused(run, error)


def _behind_another(run: Run) -> Conflict:
    return Conflict(
        f"{run.task_id} conflicts with what would land before it",
        hint="conductor-git conflicts",
        task_id=run.task_id,
        outcome=str(Outcome.CONFLICT),
        files=[],
    )
