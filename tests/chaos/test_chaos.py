"""Thirty tasks of a plan, eight at once, by agents that misbehave, while runners and supervisors are killed."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos import verdict
from tests.chaos.havoc import Havoc
from tests.chaos.world import Size, World

SEEDS = os.environ.get("CHAOS_SEED", "1 2 3 4 5").split()
"""Of the long form; the environment may name others."""
SMALL_SEED = os.environ.get("CHAOS_SEED", "287").split()[0]
"""One that deals most of the troubles to ten tasks."""
FULL = Size(tasks=30, workers=8, attempt_time=20, kills=24)
SMALL = Size(tasks=10, workers=4, attempt_time=8, kills=6)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_of_thirty_tasks_in_chaos_ends_with_everything_in_its_place(repository: Path, seed: str) -> None:
    chaos(repository, seed, FULL)


def test_a_plan_of_ten_tasks_in_chaos_ends_with_everything_in_its_place(repository: Path) -> None:
    chaos(repository, SMALL_SEED, SMALL)


def chaos(repository: Path, seed: str, size: Size) -> None:
    """Let it all happen, and look at what is there at the end."""
    sys.stderr.write(f"\nchaos: seed {seed}\n")
    began = time.monotonic()
    with unleashed(World(repository, seed, size)) as havoc:
        world = havoc.world
        havoc.rage()
        # What was killed at the very end is seen to by a run that nobody disturbs; the one after it has nothing to do.
        document = havoc.run_in_peace()
        verdict.no_process_is_left(world)
        sys.stderr.write(f"{story(havoc)}, {time.monotonic() - began:.0f} s\n")
        before = verdict.frozen(world)
        again = havoc.run_in_peace()
        assert verdict.frozen(world) == before
        assert again == document
        verdict.every_task_is_settled(world, document)
        verdict.the_target_holds_exactly_what_landed(world)
        verdict.no_commit_is_lost(world)
        verdict.no_worktree_is_left(world)
        verdict.the_checkout_was_only_moved_on(world)
        verdict.the_bus_tells_what_is_on_record(world)
        verdict.no_two_attempts_met(world)
        verdict.no_process_is_left(world)
        assert document["landed"], "an end in which nothing has landed says little"


@contextmanager
def unleashed(world: World) -> Iterator[Havoc]:
    """However the block ends, nothing goes on."""
    havoc = Havoc(world)
    try:
        yield havoc
    finally:
        havoc.end_all()


def story(havoc: Havoc) -> str:
    """What happened, on one line."""
    stands = Counter(str(run.state) for run in havoc.world.records.values())
    troubles = Counter(line["trouble"] for _, line in havoc.world.told("start"))
    return f"{havoc.rounds} rounds, kills {havoc.kills}, {dict(stands)}, attempts {dict(troubles)}"
