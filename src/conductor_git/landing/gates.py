"""Gates: the commands that must pass on the merged tree, run in a tree of our own at the merged commit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git import durable, process
from conductor_git.environment import inherited as process_environment
from conductor_git.environment import without_git
from conductor_git.errors import LockTimeout, StateUnwritable
from conductor_git.gitcmd import Git
from conductor_git.history import tree_at
from conductor_git.landing.gatetree import GateTree, discard, guarded, make_room
from conductor_git.landing.lease import lease
from conductor_git.layout import Layout
from conductor_git.masking import secret_values
from conductor_git.names import CommitId, TaskId
from conductor_git.run import GateResult

if TYPE_CHECKING:  # pydantic costs more than the commands that come through here without gates
    from conductor_git.config.model import Gate

TREE_VARIABLE: Final = "CONDUCTOR_GATE_TREE"

During = Callable[["Gate", Path], AbstractContextManager[None]]
"""What goes on beside a gate while it runs, from the gate and the file that its output goes to."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the gates of `target` are to judge: `commit`, which brings `tasks` to the target at `base`."""

    target: str
    commit: CommitId
    tasks: tuple[TaskId, ...]
    base: CommitId | None = None
    """Where it is known, nothing stays in the tree that the target itself does not ignore."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gates said of `commit`, whose tree is `tree`; the last of `results` is the red one, if any is."""

    commit: CommitId
    tree: str
    results: tuple[GateResult, ...]

    @property
    def passed(self) -> bool:
        return self.failed is None

    @property
    def failed(self) -> GateResult | None:
        return next((result for result in self.results if not result.passed), None)


def judge(
    integration: Git,
    layout: Layout,
    gates: Sequence[Gate],
    case: Case,
    told: Callable[[GateResult], None] = lambda result: None,
    during: During = lambda gate, log: nullcontext(),
) -> Judged:
    """Run `gates` one after the other on the case's commit until one is red, each within `during`; `told` hears of
    each as it ends.

    Call it with the lease of the target held. Nothing that a gate does in its tree lands, and nothing that it started
    goes on when this returns. After a kill the next call ends what is left of the gates and begins anew. Raises
    `StateUnwritable` where a log or the tree cannot be written: then nothing was judged.
    """
    hashed = tree_at(integration, case.commit)
    if not gates:
        return Judged(case.commit, hashed, ())
    place = GateTree(integration, layout, case.target)
    end_orphans(place.path)
    place.put(case.commit, case.base)
    try:
        with guarded(integration):
            results = _results(place, gates, case, told, during)
    except StateUnwritable:
        discard(layout, case.target)  # what fills the disk may be in there
        raise
    make_room(layout, case.target)
    return Judged(case.commit, hashed, results)


def _results(
    place: GateTree, gates: Sequence[Gate], case: Case, told: Callable[[GateResult], None], during: During
) -> tuple[GateResult, ...]:
    results: list[GateResult] = []
    logs = place.layout.landing(case.commit)
    durable.make_directory(logs)
    for number, gate in enumerate(gates, 1):
        if not place.is_there:  # the gate before took it away
            place.put(case.commit, case.base)
        log = logs / f"{number:02d}-{gate.name}.log"
        with during(gate, log):
            results.append(_result(place, gate, case, log))
        told(results[-1])
        if not results[-1].passed:
            break
    return tuple(results)


def _result(place: GateTree, gate: Gate, case: Case, log: Path) -> GateResult:
    code, seconds = process.run_limited(
        gate.run,
        cwd=place.path,
        environment=_given(place, case),
        log=log,
        seconds=gate.timeout_seconds,
        secrets=secret_values(process_environment()),
    )
    return GateResult(gate.name, gate.run, code, round(seconds, 3), str(log))


def _given(place: GateTree, case: Case) -> dict[str, str]:
    """What a gate finds: our environment without git's and our own variables, and what it is asked to judge."""
    inherited = without_git(process_environment())
    return {name: value for name, value in inherited.items() if not name.startswith("CONDUCTOR_")} | {
        "CONDUCTOR_TASK_ID": case.tasks[-1] if case.tasks else "",
        "CONDUCTOR_TASK_IDS": " ".join(case.tasks),
        "CONDUCTOR_TARGET": case.target,
        "CONDUCTOR_COMMIT": case.commit,
        TREE_VARIABLE: str(place.path),
        # Without its own repository, a gate's git would take the project's for it, in whose directory the tree lies.
        "GIT_CEILING_DIRECTORIES": str(place.layout.gates),
    }


def settle(layout: Layout, target: str) -> None:
    """For recovery: end what the gates of a killed landing on `target` left running. Costs nothing where none ran.

    Call it without the lease of the target. Where a landing goes on there, its gates are left alone: it has ended
    the others itself.
    """
    tree = layout.gate_tree(target)
    if not os.path.lexists(tree):
        return
    with suppress(LockTimeout), lease(layout.landing_queue(target), "recovery", seconds=0):
        end_orphans(tree)
        make_room(layout, target)


def end_orphans(tree: Path) -> None:
    """End what a killed landing left running in its gates' tree: no other process ever carries that path."""
    process.end_carrying(TREE_VARIABLE, str(tree))
