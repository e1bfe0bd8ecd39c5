"""SIGKILL in each phase of a batch of three landings, and of an undo: `make faults` tries every system call of them.

The next command, which is `status`, mends; nothing is on the target that no record tells of, and nothing that one tells
of is missing; the queue goes on from there.
"""

from __future__ import annotations

from typing import Final

import pytest

from tests import kit
from tests.faults.batches import BATCHES, TASKS, Batch
from tests.faults.tracer import Hits, Wanted
from tests.faults.trial import Theatre

pytestmark = kit.requires("strace")

OURS: Final = "conductor-git"
GATED, RED, CHECKED_OUT = "batch-gated", "batch-red", "batch-checked-out"
BUS: Final = "MESSAGE-BUS.md"
PHASES: Final = {
    "lease: the ticket is drawn": (GATED, Wanted(Hits.TREE, OURS, "openat", ".queue")),
    "lease: some tasks are locked": (GATED, Wanted(Hits.TREE, OURS, "rename", "journal/cedar.json")),
    "merge: the second is being stacked": (GATED, Wanted(Hits.PROCESS, "commit-tree", "exit_group", "", 1)),
    "gates: the tree is being made": (GATED, Wanted(Hits.TREE, OURS, "mkdir", "gates/")),
    "gates: the log is begun": (GATED, Wanted(Hits.TREE, OURS, "openat", "-look.log")),
    "after the gates": (GATED, Wanted(Hits.TREE, OURS, "rename", "evidence.json")),
    "publish: one intent is on record": (GATED, Wanted(Hits.TREE, OURS, "rename", "birch/run-info.yaml")),
    "publish: the target is locked": (GATED, Wanted(Hits.TREE, "update-ref", "rename", "heads/main.lock")),
    "publish: the target has moved": (GATED, Wanted(Hits.PROCESS, "update-ref", "exit_group", "")),
    "records: one is completed": (GATED, Wanted(Hits.TREE, OURS, "rename", "birch/run-info.yaml", 1)),
    "records: two are completed, one is told": (GATED, Wanted(Hits.TREE, OURS, "write", BUS, 3)),
    "cleanup: of the first": (GATED, Wanted(Hits.TREE, "worktree remove", "unlink", 'ash/.git"')),
    "cleanup: of the last": (GATED, Wanted(Hits.TREE, OURS, "unlink", "cedar/.worker-ctx.json")),
    "cleanup: some intents are gone": (GATED, Wanted(Hits.TREE, OURS, "unlink", "journal/birch.json")),
    "red: what is green has landed": (RED, Wanted(Hits.TREE, OURS, "rename", "birch/run-info.yaml")),
    "red: the bounce is on record": (RED, Wanted(Hits.TREE, OURS, "unlink", "locks/targets")),
    "checkout: half written": (CHECKED_OUT, Wanted(Hits.TREE, "read-tree", "write", "run.sh")),
    "checkout: its index is new": (CHECKED_OUT, Wanted(Hits.TREE, OURS, "unlink", "index.lock")),
    "undo: the intent is on record": ("undo", Wanted(Hits.TREE, OURS, "rename", "ash/run-info.yaml")),
    "undo: the target has moved": ("undo", Wanted(Hits.PROCESS, "update-ref", "exit_group", "")),
    "undo: the branch is offered": ("undo", Wanted(Hits.TREE, "update-ref", "rename", "heads/worker/ash.lock")),
    "undo: the checkout is half written": ("undo-checked-out", Wanted(Hits.TREE, "read-tree", "write", "run.sh")),
}


@pytest.fixture(scope="module")
def theatre(tmp_path_factory: pytest.TempPathFactory) -> Theatre:
    return Theatre(tmp_path_factory.mktemp("theatre"), BATCHES, Batch(), TASKS)


SAMPLE: Final = (
    "merge: the second is being stacked",
    "gates: the log is begun",
    "publish: one intent is on record",
    "publish: the target has moved",
    "records: one is completed",
    "cleanup: of the first",
    "checkout: half written",
    "undo: the target has moved",
)
"""The phases of `make test`; `make faults` has the others."""
CASES: Final = [name if name in SAMPLE else pytest.param(name, marks=pytest.mark.faults) for name in PHASES]


def test_every_phase_of_the_sample_is_one() -> None:
    assert [name for name in SAMPLE if name not in PHASES] == []


@pytest.mark.parametrize("phase", CASES)
def test_a_kill_in_each_phase_of_a_batch_is_mended_by_the_next_command_and_the_queue_goes_on(
    phase: str, theatre: Theatre
) -> None:
    scene, wanted = PHASES[phase]
    point = wanted.first(theatre.points(scene))

    assert theatre.trial(scene, point) == []
    assert theatre.missed == []
