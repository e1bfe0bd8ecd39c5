"""What a landing should come to, computed by plain git before it happens."""

from __future__ import annotations

from dataclasses import dataclass

from tests.property.model import Task
from tests.property.world import World


@dataclass(frozen=True, slots=True)
class Forecast:
    """`kind` is contained, conflict, nothing, lands, or unsure where only the landing itself can tell."""

    kind: str
    target: str
    tree: str = ""
    paths: frozenset[str] = frozenset()
    is_red: bool = False
    """Of one that lands: what the gate will say of it."""


def foresee(world: World, task: Task, strategy: str, onto: str | None = None) -> Forecast:
    """What landing the approved commit on `onto` comes to; on the tip of its target where that is not given."""
    target, approved = onto or world.tip(task.target_ref), task.approved
    assert target is not None
    assert approved is not None
    if world.holds(target, approved):
        return Forecast("contained", target)
    if strategy == "rebase":
        # One commit after the other can conflict where all of them together do not, unless nothing has to move.
        if not world.holds(approved, target) or world.ask("rev-list", "--merges", f"{target}..{approved}"):
            return Forecast("unsure", target)
        tree, conflicts = world.ask("rev-parse", f"{approved}^{{tree}}"), False
    else:
        done = world.ask("merge-tree", "--write-tree", "--no-messages", target, approved, ok=(0, 1)).split("\n")
        tree, conflicts = done[0], len(done) > 1
    paths = changed_paths(world, target, tree)
    if conflicts or any(_gains_markers(world, target, tree, path) for path in paths):
        return Forecast("conflict", target)
    if strategy != "merge" and not paths:
        # Commits that together change nothing are still commits to a rebase.
        return Forecast("nothing" if strategy == "squash" else "unsure", target)
    return Forecast("lands", target, tree, paths, is_red=world.is_red(tree))


def foresee_undo(world: World, task: Task) -> Forecast:
    """What taking the landing back comes to: its change, from after to before, merged into the target as it is now."""
    target = world.tip(task.target_ref)
    assert target is not None
    base = world.ask("commit-tree", "-m", "after", f"{task.merged}^{{tree}}")
    ours = world.ask("commit-tree", "-m", "now", "-p", base, f"{target}^{{tree}}")
    theirs = world.ask("commit-tree", "-m", "before", "-p", base, f"{task.landed_on}^{{tree}}")
    done = world.ask("merge-tree", "--write-tree", "--no-messages", ours, theirs, ok=(0, 1)).split("\n")
    if len(done) > 1:
        return Forecast("conflict", target)
    paths = changed_paths(world, target, done[0])
    if not paths:
        return Forecast("nothing", target)
    return Forecast("lands", target, done[0], paths, is_red=world.is_red(done[0]))


def _gains_markers(world: World, target: str, tree: str, path: str) -> bool:
    added = world.ask("diff", "--no-renames", target, tree, "--", path).split("\n")
    return any(line.startswith("+<<<<<<<") for line in added) and any(line.startswith("+>>>>>>>") for line in added)


def in_the_way(world: World, task: Task) -> set[str]:
    """The paths that a landing must not touch: what a person has unsettled in a checkout of the target."""
    if world.head_ref(world.repository) != task.target_ref:
        return set()
    return world.unsettled(world.repository, ignored=True)


def changed_paths(world: World, before: str, after: str) -> frozenset[str]:
    named = world.ask("diff", "--name-only", "--no-renames", "-z", before, after)
    return frozenset(filter(None, named.split("\0")))
