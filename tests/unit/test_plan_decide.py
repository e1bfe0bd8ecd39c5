"""decide: what the runner of a plan does next, from records alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from conductor_git.names import TaskId
from conductor_git.run import End, Event, ProcessId, Run
from conductor_git.workflow.planning.actions import Action, Approve, Halt, Land, Resume, Spawn
from conductor_git.workflow.planning.decide import decide
from conductor_git.workflow.planning.facts import Facts, Stands
from conductor_git.workflow.planning.planned import Planned
from conductor_git.workflow.planning.verdicts import plan_reviewer
from tests.unit import planned_runs as made
from tests.unit.planned_runs import BOUNCE, CHANGES, DONE, GATES, HEAD, NOON, START, plan, run, task

CHAIN = plan(task("a"), task("b", "a"), task("c", "b"))


def actions(planned: Planned, facts: Facts) -> list[Action]:
    return list(decide(planned, facts).actions)


def stands(planned: Planned, facts: Facts) -> dict[str, Stands]:
    return {task_id: standing.stands for task_id, standing in decide(planned, facts).standings.items()}


def why(planned: Planned, facts: Facts, task_id: str) -> str:
    return decide(planned, facts).standings[TaskId(task_id)].why


# --- what starts


def test_a_task_starts_when_everything_that_it_needs_has_landed() -> None:
    assert actions(CHAIN, made.facts()) == [Spawn(TaskId("a"))]
    assert actions(CHAIN, made.facts(made.landed("a"))) == [Spawn(TaskId("b"))]


@pytest.mark.parametrize("first", [made.working("a"), made.in_review("a"), run("a", START, DONE, made.APPROVE)])
def test_nothing_starts_before_what_it_needs_has_landed(first: Run) -> None:
    assert Spawn(TaskId("b")) not in actions(CHAIN, made.facts(first, alive=("a",)))


def test_a_stage_starts_when_the_stages_before_it_have_landed() -> None:
    staged = plan(task("a", stage="base"), task("b", stage="base"), task("c", stage="pages", earlier=("a", "b")))

    assert actions(staged, made.facts(made.landed("a"), made.working("b"), alive=("b",))) == []
    assert actions(staged, made.facts(made.landed("a"), made.landed("b"))) == [Spawn(TaskId("c"))]


def test_at_most_so_many_agents_run_at_once_and_the_most_urgent_come_first() -> None:
    wide = plan(task("a"), task("b"), task("c", priority=3), task("d", priority=-1), workers=3)

    assert actions(wide, made.facts(made.working("a"), alive=("a",))) == [Spawn(TaskId("c")), Spawn(TaskId("b"))]


def test_what_was_begun_comes_before_what_is_new() -> None:
    planned = plan(task("a", priority=9), task("b"), workers=1)

    (only,) = actions(planned, made.facts(run("b", START, DONE, CHANGES)))

    assert isinstance(only, Resume)


def test_a_supervisor_that_only_tidies_up_takes_no_place() -> None:
    planned = plan(task("a"), task("b"), workers=1)
    done = made.in_review("a", attempts=(made.attempt(1),))

    assert actions(planned, made.facts(done, alive=("a",))) == [Spawn(TaskId("b"))]


def test_a_need_outside_of_the_plan_has_to_have_landed_too() -> None:
    planned = plan(task("a", "other"))
    other = TaskId("other")

    assert actions(planned, made.facts(outside={other: made.landed("other")})) == [Spawn(TaskId("a"))]
    assert stands(planned, made.facts(outside={other: made.working("other")})) == {"a": Stands.HELD}
    assert why(planned, made.facts(outside={other: made.failed("other")}), "a") == (
        "needs other, which failed: it is too hard"
    )
    assert why(planned, made.facts(), "a") == "needs other, which cannot start: there is no such task"


# --- what cannot start, and the end


def test_what_depends_on_a_failed_task_never_starts_and_the_rest_goes_on() -> None:
    planned = plan(task("a"), task("b", "a"), task("c", "b"), task("d"))
    decision = decide(planned, made.facts(made.failed("a")))

    assert [standing.stands for standing in decision.standings.values()] == [
        Stands.FAILED,
        Stands.NEVER,
        Stands.NEVER,
        Stands.PENDING,
    ]
    assert decision.standings[TaskId("b")].why == "needs a, which failed: it is too hard"
    assert decision.standings[TaskId("c")].why == "needs b, which cannot start: needs a, which failed: it is too hard"
    assert decision.actions == (Spawn(TaskId("d")),)


def test_a_failed_task_that_is_retried_lets_the_others_start_after_all() -> None:
    assert stands(CHAIN, made.facts(made.failed("a")))["b"] is Stands.NEVER
    again = run("a", START, made.FAIL, Event.RETRY, START)
    assert stands(CHAIN, made.facts(again, alive=("a",)))["b"] is Stands.PENDING


def test_with_fail_fast_all_agents_stop_and_nothing_more_starts() -> None:
    planned = plan(task("a"), task("b"), task("c"), fail_fast=True)
    decision = decide(planned, made.facts(made.failed("a"), made.working("b"), alive=("b",)))

    (halt,) = decision.actions
    assert isinstance(halt, Halt)
    assert (halt.task_id, halt.why) == ("b", "a failed, and the plan says fail_fast")
    assert decision.standings[TaskId("c")].stands is Stands.NEVER
    assert not decision.is_over()
    after = made.facts(made.failed("a"), made.working("b"))
    assert decide(planned, after).is_over()
    assert stands(planned, after)["b"] is Stands.WAITING


@pytest.mark.parametrize("moved_on", [(START, DONE), (START, DONE, made.APPROVE, made.MERGE), (START, made.FAIL)])
def test_what_an_agent_left_that_nobody_saw_end_is_seen_to_once_its_task_has_moved_on(
    moved_on: tuple[Event, ...],
) -> None:
    left = run("a", *moved_on, attempts=(made.attempt(1, None),))
    planned = plan(task("a"))

    assert actions(planned, made.facts(left)) == [Resume(TaskId("a"), len(left.history), 1, "its supervisor is gone")]
    assert not decide(planned, made.facts(left)).is_over()
    assert actions(planned, made.facts(left, alive=("a",))) == []


def test_a_supervisor_that_is_killed_a_second_time_is_replaced_a_second_time() -> None:
    first = made.working("a", attempts=(made.attempt(1, None),), supervision=made.supervised())
    (once,) = actions(plan(task("a")), made.facts(first))
    second = replace(first, supervision=replace(made.supervised(), process=ProcessId(4343, 2.0)))

    (again,) = actions(plan(task("a")), made.facts(second, tried={once: ""}))

    assert isinstance(again, Resume)
    assert stands(plan(task("a")), made.facts(first, tried={once: ""})) == {"a": Stands.WAITING}


def test_with_fail_fast_an_agent_without_its_supervisor_is_stopped_too() -> None:
    planned = plan(task("a"), task("b"), fail_fast=True)
    left = made.working("b", attempts=(made.attempt(1, None),))

    (halt,) = actions(planned, made.facts(made.failed("a"), left))

    assert isinstance(halt, Halt)
    assert halt.task_id == "b"


def test_a_plan_is_over_when_everything_has_landed() -> None:
    done = made.facts(made.landed("a"), made.landed("b"), made.landed("c"))

    assert decide(CHAIN, done).is_over()
    assert decide(CHAIN, done).is_over(wait=True)


def test_a_plan_that_waits_for_people_is_over_unless_it_is_to_wait() -> None:
    decision = decide(CHAIN, made.facts(made.in_review("a")))

    assert [standing.stands for standing in decision.standings.values()] == [Stands.WAITING, Stands.HELD, Stands.HELD]
    assert decision.is_over()
    assert not decision.is_over(wait=True)


def test_a_plan_is_not_over_while_an_agent_is_at_work() -> None:
    assert not decide(CHAIN, made.facts(made.working("a"), alive=("a",))).is_over()


def test_a_spawn_that_was_refused_is_not_tried_again_and_says_why() -> None:
    facts = made.facts(tried={Spawn(TaskId("a")): "the branch worker/a exists already"})

    assert actions(CHAIN, facts) == []
    assert why(CHAIN, facts, "a") == "could not be started: the branch worker/a exists already"
    assert decide(CHAIN, facts).is_over()


def test_a_task_whose_record_cannot_be_read_waits_for_a_person() -> None:
    facts = made.facts(unusable={TaskId("a"): "the record of a cannot be read"})

    assert stands(CHAIN, facts) == {"a": Stands.WAITING, "b": Stands.HELD, "c": Stands.HELD}


# --- what goes on


def test_a_task_whose_supervisor_was_killed_is_resumed() -> None:
    left = made.working("a", attempts=(made.attempt(1, end=None),), supervision=made.supervised())

    wanted = Resume(TaskId("a"), 2, 1, "its supervisor is gone", made.SUPERVISOR)
    assert actions(CHAIN, made.facts(left)) == [wanted]
    assert actions(CHAIN, made.facts(left, alive=("a",))) == []


def test_a_supervisor_that_is_killed_in_a_pause_between_attempts_is_no_stop() -> None:
    left = made.working("a", attempts=(made.attempt(1),), supervision=made.supervised())

    assert len(actions(CHAIN, made.facts(left, since=NOON))) == 1


def test_a_task_that_was_made_and_never_started_is_resumed() -> None:
    assert actions(CHAIN, made.facts(run("a"))) == [Resume(TaskId("a"), 1, 0, "its agent was never started")]


@pytest.mark.parametrize("end", [End.STOPPED, End.EXITED], ids=["at work", "in a pause between attempts"])
def test_what_is_stopped_while_the_plan_runs_stays_stopped_and_what_was_stopped_before_goes_on(end: End) -> None:
    left = made.working("a", attempts=(made.attempt(1, end),))
    late, early = NOON + timedelta(hours=1), NOON - timedelta(hours=1)

    assert why(CHAIN, made.facts(left, since=early), "a") == "its agent was stopped; conductor-git resume a"
    assert len(actions(CHAIN, made.facts(left, since=late))) == 1


def test_a_task_that_was_stopped_and_then_sent_back_goes_on() -> None:
    left = run("a", START, DONE, CHANGES, attempts=(made.attempt(1, End.STOPPED),))

    (only,) = actions(CHAIN, made.facts(left, since=NOON - timedelta(hours=1)))

    assert isinstance(only, Resume)


@pytest.mark.parametrize(("end", "goes_on"), [(End.EXITED, True), (End.STOPPED, False)])
def test_an_agent_that_tidies_up_after_its_work_was_sent_back_was_not_stopped(end: End, goes_on: bool) -> None:
    left = run("a", START, DONE, CHANGES, attempts=(made.attempt(1, end, ended=4),))

    assert bool(actions(CHAIN, made.facts(left, since=NOON))) is goes_on


@pytest.mark.parametrize("event", [CHANGES, BOUNCE])
def test_a_task_goes_back_to_its_worker_so_often_and_then_to_a_person(event: Event) -> None:
    once = [START, DONE, *([made.APPROVE] if event is BOUNCE else []), event]
    again = once[1:]
    thrice, more = run("a", *once, *again, *again), run("a", *once, *again, *again, *again)

    assert [type(action) for action in actions(CHAIN, made.facts(thrice))] == [Resume]
    assert actions(CHAIN, made.facts(more)) == []
    assert why(CHAIN, made.facts(more), "a").startswith("went back to its worker 4 times; the last time it ")


def test_a_retry_counts_its_rounds_from_none() -> None:
    rounds = [DONE, CHANGES] * 4
    again = run("a", START, *rounds, made.FAIL, Event.RETRY, START, DONE, CHANGES)

    assert [type(action) for action in actions(CHAIN, made.facts(again))] == [Resume]


def test_a_resume_that_came_to_nothing_is_not_repeated() -> None:
    left = run("a")
    (resume,) = actions(CHAIN, made.facts(left))

    assert actions(CHAIN, made.facts(left, tried={resume: ""})) == []
    assert why(CHAIN, made.facts(left, tried={resume: ""}), "a") == (
        "could not be resumed: its supervisor ended without an attempt"
    )


# --- approvals and landings


def test_by_gates_the_plan_approves_exactly_what_is_in_review() -> None:
    planned = plan(task("a", approval=GATES))

    assert actions(planned, made.facts(made.in_review("a"))) == [Approve(TaskId("a"), HEAD, 3)]


def test_the_plan_approves_a_commit_once_and_then_a_person_is_asked() -> None:
    planned = plan(task("a", approval=GATES))
    given = {TaskId("a"): (made.review(plan_reviewer(made.PLAN), 3),)}
    facts = made.facts(made.in_review("a", reviews_required=2), reviews=given)

    assert actions(planned, facts) == []
    assert why(planned, facts, "a") == "1 of 2 approvals; conductor-git approve a"


def test_what_is_handed_in_again_is_approved_again_even_if_it_is_the_same_commit() -> None:
    planned = plan(task("a", approval=GATES))
    earlier = {TaskId("a"): (made.review(plan_reviewer(made.PLAN), 2.5),)}

    assert len(actions(planned, made.facts(run("a", START, DONE, CHANGES, DONE), reviews=earlier))) == 1


def test_never_leaves_a_review_to_people() -> None:
    facts = made.facts(made.in_review("a"))

    assert actions(CHAIN, facts) == []
    assert why(CHAIN, facts, "a") == f"in review at {HEAD[:10]}; conductor-git approve a"


def test_what_is_approved_lands_whoever_approved_it() -> None:
    approved = run("a", START, DONE, made.APPROVE)
    (land,) = actions(CHAIN, made.facts(approved))

    assert land == Land(TaskId("a"), "main", 4)
    blocked = made.facts(approved, tried={land: "README.md would be overwritten"})
    assert why(CHAIN, blocked, "a") == "approved, and did not land: README.md would be overwritten"
    assert decide(CHAIN, blocked).is_over()
    passed_over = made.facts(approved, tried={land: ""})
    assert why(CHAIN, passed_over, "a") == "approved, and did not land: it waits for what it needs"
    assert decide(CHAIN, passed_over).is_over()
