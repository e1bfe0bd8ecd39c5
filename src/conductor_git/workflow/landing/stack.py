"""Landings stacked in memory: each approved commit merged on top of the one before, no ref moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from conductor_git.errors import ConductorError, Conflict, GitKilled, OwnFiles
from conductor_git.history import tree_at
from conductor_git.landing.mergetree import Merged, Plan, merge
from conductor_git.names import CommitId, TaskId
from conductor_git.run import Landing, Phase, Run, Strategy
from conductor_git.workflow.explaining.commands import git_in, join
from conductor_git.workflow.landing.candidate import Candidate
from conductor_git.workflow.landing.ground import Ground


@dataclass(frozen=True, slots=True)
class Layer:
    """One landing in a stack: what it was put on, and what came of it."""

    candidate: Candidate
    below: CommitId
    merged: Merged
    strategy: Strategy

    @property
    def run(self) -> Run:
        return self.candidate.run

    @property
    def commit(self) -> CommitId:
        return self.merged.commit


@dataclass(frozen=True, slots=True)
class Stack:
    """What could be stacked, and what could not: refused for itself, or put off until what is below it has landed."""

    layers: tuple[Layer, ...] = ()
    contained: tuple[Candidate, ...] = ()
    """The target holds everything of them already."""
    refused: dict[TaskId, ConductorError] = field(default_factory=dict)


def stack(ground: Ground, candidates: Sequence[Candidate], wished: Strategy | None) -> Stack:
    """Merge `candidates` one on top of the other, from the tip of the target on.

    One that conflicts with the target itself is refused. One that conflicts only with what is below it in the stack,
    or brings nothing new to that, is left out: nobody knows yet whether what is below it will land.
    """
    found = Stack()
    tip, tree = ground.tip, ground.tree
    for one in candidates:
        if not set(one.run.needs).isdisjoint(_left_out(candidates, found)):
            continue
        plan = _plan(ground, one, tip, tree, ground.strategy(wished))
        try:
            merged = merge(ground.looking, plan)
        except GitKilled:
            raise
        except ConductorError as refused:
            if not (found.layers and isinstance(refused, Conflict)):
                found.refused[one.run.task_id] = _with_way_out(one.run, refused, plan.strategy)
            continue
        if merged.commit != tip:
            found = replace(found, layers=(*found.layers, Layer(one, tip, merged, plan.strategy)))
            tip, tree = merged.commit, tree_at(ground.looking, merged.commit) if one is not candidates[-1] else ""
        elif not found.layers:
            found = replace(found, contained=(*found.contained, one))
    return found


def _left_out(candidates: Sequence[Candidate], found: Stack) -> set[TaskId]:
    """Of `candidates`, what is not in the stack so far: nothing that needs it goes on top without it."""
    inside = {layer.run.task_id for layer in found.layers} | {one.run.task_id for one in found.contained}
    return {one.run.task_id for one in candidates} - inside


def _plan(ground: Ground, one: Candidate, tip: CommitId, tree: str, strategy: Strategy) -> Plan:
    return Plan(
        target=tip,
        target_tree=tree,
        approved=one.approved,
        strategy=strategy,
        message=message(one.run),
        trailers=trailers(one, ground),
        signs=ground.entries.signs,
    )


def _with_way_out(run: Run, refused: ConductorError, strategy: Strategy) -> ConductorError:
    """`refused` with a hint that is a command in the task's worktree, where its work has to change."""
    match refused:
        case Conflict():
            refused.hint = _settling(run, refused, strategy)[0]
        case OwnFiles():
            refused.hint = git_in(run.worktree, "rm", "--cached", refused.facts["files"][0])
    return refused


def _settling(run: Run, conflict: Conflict, strategy: Strategy) -> tuple[str, ...]:
    return join(run, strategy, is_unrelated=bool(conflict.facts.get("unrelated")))


def landing_of(layer: Layer, ground: Ground, top: CommitId, *, cleanup: bool) -> Landing:
    """The landing of `layer` as a record has it while it is on its way, in a stack that ends with `top`."""
    return Landing(
        top,
        Phase.MERGE,
        layer.strategy,
        target_before=layer.below,
        batch_base=None if layer.below == ground.tip else ground.tip,
        merge_commit=layer.commit,
        cleanup=cleanup,
    )


def message(run: Run) -> str:
    return f"Land {run.task_id}: {run.title}" + (f"\n\n{run.summary}" if run.summary else "")


def trailers(one: Candidate, ground: Ground) -> tuple[str, ...]:
    """What the landed commit says of itself."""
    return (
        f"Task-Id: {one.run.task_id}",
        *(f"Reviewed-by: {reviewer}" for reviewer in one.reviewers),
        f"Approved-Commit: {one.approved}",
        *ground.gate_trailers,
    )


def how_to_resolve(run: Run, conflict: Conflict, strategy: Strategy) -> str:
    """The commands that end a conflict in the task's worktree."""
    start, *rest = _settling(run, conflict, strategy)
    commands = [start, "# edit the files, then", *rest]
    return "To resolve it in the task's worktree:\n\n" + "\n".join(f"    {command}" for command in commands)
