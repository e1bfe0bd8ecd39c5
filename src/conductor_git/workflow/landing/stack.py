"""Landings stacked in memory: each approved commit merged on top of the one before, no ref moved."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from conductor_git.config.model import Config
from conductor_git.errors import ConductorError, Conflict, GitKilled, OwnFiles
from conductor_git.history import objects, tree_of
from conductor_git.landing.mergetree import Merged, Plan, merge
from conductor_git.names import CommitId, TaskId
from conductor_git.run import Landing, Phase, Run, Strategy
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
        except Conflict as conflict:
            if not found.layers:
                found.refused[one.run.task_id] = _told(one.run, conflict, plan.strategy)
            continue
        except OwnFiles as own:
            first = shlex.quote(own.facts["files"][0])
            own.hint = f"git -C {shlex.quote(one.run.worktree)} rm --cached {first}"
            found.refused[one.run.task_id] = own
            continue
        except ConductorError as refused:
            found.refused[one.run.task_id] = refused
            continue
        if merged.commit != tip:
            found = replace(found, layers=(*found.layers, Layer(one, tip, merged, plan.strategy)))
            tip, tree = merged.commit, _tree(ground, merged.commit) if one is not candidates[-1] else ""
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
        trailers=trailers(one, ground.config),
        signs=ground.entries.signs,
    )


def _tree(ground: Ground, commit: CommitId) -> str:
    (found,) = objects(ground.looking, commit)
    assert found is not None, "the commit was made a moment ago"
    return tree_of(found)


def _told(run: Run, conflict: Conflict, strategy: Strategy) -> Conflict:
    conflict.hint = joining(run, strategy, is_unrelated=bool(conflict.facts.get("unrelated")))
    return conflict


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


def trailers(one: Candidate, config: Config) -> tuple[str, ...]:
    """What the landed commit says of itself. The gates passed, or no ref ever comes to it."""
    return (
        f"Task-Id: {one.run.task_id}",
        *(f"Reviewed-by: {reviewer}" for reviewer in one.reviewers),
        f"Approved-Commit: {one.approved}",
        *(f"Gate: {gate.name} passed" for gate in config.gates),
    )


def how_to_resolve(run: Run, conflict: Conflict, strategy: Strategy) -> str:
    """The commands that end a conflict in the task's worktree."""
    here = f"git -C {shlex.quote(run.worktree)}"
    is_unrelated = bool(conflict.facts.get("unrelated"))
    ending = [f"{here} commit --all --no-edit"]
    if is_unrelated or strategy is Strategy.REBASE:
        ending = [f"{here} add --update", f"{here} -c core.editor=true rebase --continue"]
    start = joining(run, strategy, is_unrelated=is_unrelated)
    commands = [start, "# edit the files, then", *ending, f"conductor-git done {run.task_id}"]
    return "To resolve it in the task's worktree:\n\n" + "\n".join(f"    {command}" for command in commands)


def joining(run: Run, strategy: Strategy, *, is_unrelated: bool = False) -> str:
    # A merge that the worker makes would be left out again when the commits are replayed.
    verb = "rebase" if strategy is Strategy.REBASE else "merge"
    if is_unrelated:  # git merges nothing that has no commit in common
        verb = "rebase --root --onto"
    return f"git -C {shlex.quote(run.worktree)} {verb} {shlex.quote(run.target)}"
