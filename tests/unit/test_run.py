"""The table of transitions, walked pair by pair against the diagram of docs/state-machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_git.errors import IllegalTransition
from conductor_git.names import CommitId, TaskId
from conductor_git.run import NEXT_COMMAND, TRANSITIONS, Event, Run, State, Step, advance, next_command

NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BASE: Final = CommitId("a" * 40)

# Written out from the diagram, and not taken from the code.
DIAGRAM: Final = """
ASSIGNED  start            WORKING
ASSIGNED  fail             FAILED
ASSIGNED  cancel           CANCELLED
WORKING   done             IN_REVIEW
WORKING   fail             FAILED
WORKING   cancel           CANCELLED
IN_REVIEW approve          APPROVED
IN_REVIEW request_changes  WORKING
IN_REVIEW supersede        IN_REVIEW
IN_REVIEW fail             FAILED
IN_REVIEW cancel           CANCELLED
APPROVED  merge            COMPLETED
APPROVED  bounce           WORKING
APPROVED  supersede        IN_REVIEW
APPROVED  request_changes  WORKING
APPROVED  fail             FAILED
APPROVED  cancel           CANCELLED
FAILED    retry            ASSIGNED
CANCELLED retry            ASSIGNED
ASSIGNED  reviewed         COMPLETED
WORKING   reviewed         COMPLETED
WORKING   answered         COMPLETED
COMPLETED undo             CANCELLED
"""
ARROWS: Final = {
    (State(origin), Event(event)): State(goal)
    for origin, event, goal in (line.split() for line in DIAGRAM.strip().splitlines())
}


def run_in(state: State) -> Run:
    return Run(
        project_id="acme",
        task_id=TaskId("fix-login"),
        title="Fix the login",
        state=state,
        branch="worker/fix-login",
        target="main",
        base_commit=BASE,
        worktree="/tmp/acme.worktrees/fix-login",
        agent=None,
        created_at=NOON,
        updated_at=NOON,
        revision=7,
        history=(Step(1, Event.SPAWN, State.ASSIGNED, NOON, "ada", BASE),),
    )


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_pair_is_as_the_diagram_says(state: State, event: Event) -> None:
    run = run_in(state)
    later = NOON + timedelta(minutes=1)

    if (goal := ARROWS.get((state, event))) is None:
        with pytest.raises(IllegalTransition) as refused:
            advance(run, event, at=later, by="ada")
        assert refused.value.exit_code == 12
        assert refused.value.facts == {"task_id": "fix-login", "state": str(state), "event": str(event)}
        assert refused.value.hint == next_command(run)
    else:
        after = advance(run, event, at=later, by="ada", commit=BASE, note="why")
        step = Step(8, event, goal, later, "ada", BASE, "why")
        assert after == replace(run, state=goal, updated_at=later, history=(*run.history, step))


def test_the_table_has_no_arrow_that_the_diagram_lacks() -> None:
    assert dict(TRANSITIONS) == ARROWS


def test_nothing_leaves_completed_but_an_undo_and_only_failed_and_cancelled_come_back() -> None:
    leaving = {state: {event for origin, event in TRANSITIONS if origin is state} for state in State}

    assert leaving[State.COMPLETED] == {Event.UNDO}
    assert {state for state in State if state.is_final} == {State.COMPLETED, State.FAILED, State.CANCELLED}
    assert leaving[State.FAILED] == leaving[State.CANCELLED] == {Event.RETRY}


@given(st.lists(st.sampled_from(Event)))
def test_no_sequence_of_events_lands_without_an_approval_since_the_last_change(events: list[Event]) -> None:
    run = run_in(State.ASSIGNED)
    for event in events:
        try:
            run = advance(run, event, at=NOON, by="ada")
        except IllegalTransition:
            continue

    names = [step.event for step in run.history]
    for number, event in enumerate(names):
        if event is Event.MERGE:
            assert names[number - 1] is Event.APPROVE
            assert names[number + 1 : number + 2] in ([], [Event.UNDO]), "nothing follows a landing but its undo"


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_next_command_that_names_the_task(state: State) -> None:
    assert state in NEXT_COMMAND
    assert next_command(run_in(state)).startswith("conductor-git ")
    assert next_command(run_in(state)).endswith(" fix-login")
