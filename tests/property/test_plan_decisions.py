"""Any plan, whatever becomes of its agents, supervisors and landings, comes to an end, and nothing starts too early."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from conductor_git.run import State
from conductor_git.workflow.planning.actions import Approve, Ask, Spawn
from conductor_git.workflow.planning.decide import Decision, decide
from conductor_git.workflow.planning.facts import Stands
from tests.property.plansim import World, agents_at_work, drawn_plan

MOST_STEPS = 2000


def run_to_its_end(world: World) -> Decision:
    for _ in range(MOST_STEPS):
        facts = world.facts()
        decision = decide(world.planned, facts)
        assert decide(world.planned, facts) == decision
        for action in decision.actions:
            if isinstance(action, Spawn):
                needs = world.planned.by_id[action.task_id].before
                assert all(world.runs[need].state is State.COMPLETED for need in needs)
            if isinstance(action, Ask):
                assert action.agent != world.runs[action.task_id].agent
            if isinstance(action, Approve):
                assert world.runs[action.task_id].head_commit == action.commit
            assert action not in world.tried
            world.perform(action)
            assert agents_at_work(world) <= world.planned.workers
        if decision.is_over():
            return decision
        assert decision.actions or world.happen(), f"nothing can happen any more: {decision.standings}"
    raise AssertionError(f"it does not end: {decide(world.planned, world.facts()).standings}")


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32))
def test_every_plan_ends_with_each_task_landed_failed_or_waiting_with_a_reason(seed: int) -> None:
    chance = Random(seed)
    world = World(drawn_plan(chance), chance)

    decision = run_to_its_end(world)

    for task_id, standing in decision.standings.items():
        assert not standing.stands.goes_on
        assert standing.why or standing.stands in (Stands.LANDED, Stands.FAILED, Stands.CANCELLED)
        landed = task_id in world.runs and world.runs[task_id].state is State.COMPLETED
        assert landed is (standing.stands is Stands.LANDED)
    assert len(world.spawned) == len(set(world.spawned))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_a_runner_that_forgets_what_it_tried_goes_on_from_the_records_alone(seed: int, killed_after: int) -> None:
    chance = Random(seed)
    world = World(drawn_plan(chance), chance)
    for _ in range(killed_after):
        for action in decide(world.planned, world.facts()).actions[:1]:
            world.perform(action)
        world.happen()
    world.tried.clear()

    run_to_its_end(world)

    assert len(world.spawned) == len(set(world.spawned))
