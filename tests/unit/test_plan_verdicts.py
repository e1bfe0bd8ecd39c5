"""Reviews by agents in a plan: who is asked about which commit, how many, and when a person is."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_git.names import TaskId
from conductor_git.review import Review, Verdict
from conductor_git.run import End, Event, Run
from conductor_git.workflow.planning.actions import Action, Ask, Recall, Resume
from conductor_git.workflow.planning.decide import decide
from conductor_git.workflow.planning.facts import Facts, Stands
from tests.unit import planned_runs as made
from tests.unit.planned_runs import CHANGES, DONE, HEAD, NEXT, START, plan, run, task

A, FIRST, SECOND = TaskId("a"), TaskId("a.review-1"), TaskId("a.review-2")
TWO = plan(task("a", approval=made.quorum(2), reviewers=("codex", "gemini"), reviews_required=2))
VERDICT = (START, Event.REVIEWED)


def given(*reviews: Review) -> dict[str, Any]:
    return {"reviews": {A: reviews}}


def actions(facts: Facts) -> list[Action]:
    return list(decide(TWO, facts).actions)


def why(facts: Facts) -> str:
    return decide(TWO, facts).standings[A].why


def looking(number: int, agent: str, **more: Any) -> Run:
    return made.reviewer("a", number, agent, START, **more)


def test_other_agents_are_asked_one_after_the_other_until_as_many_look_as_are_needed() -> None:
    one, two = looking(1, "codex"), looking(2, "gemini")

    assert actions(made.facts(made.in_review("a"))) == [Ask(A, FIRST, "codex", HEAD)]
    assert actions(made.facts(made.in_review("a"), one, alive=(FIRST,))) == [Ask(A, SECOND, "gemini", HEAD)]
    assert actions(made.facts(made.in_review("a"), one, two, alive=(FIRST, SECOND))) == []


def test_an_agent_never_reviews_what_it_wrote_itself_also_where_it_took_over() -> None:
    by_codex = made.in_review("a", attempts=(made.attempt(1),), agent="codex")

    assert actions(made.facts(by_codex)) == [Ask(A, FIRST, "gemini", HEAD)]


def test_reviewers_take_places_like_other_agents() -> None:
    planned = plan(*TWO.tasks, task("b"), workers=1)

    (only,) = decide(planned, made.facts(made.in_review("a"))).actions

    assert isinstance(only, Ask)


def test_a_verdict_that_is_missing_is_asked_of_another_agent_and_at_last_of_a_person() -> None:
    one = made.reviewer("a", 1, "codex", START, Event.FAIL, reason="no key", updated_at=made.NOON.replace(hour=13))
    two = made.reviewer("a", 2, "gemini", *VERDICT)
    approved = given(made.review(SECOND, 5))

    assert actions(made.facts(made.in_review("a"), one)) == [Ask(A, SECOND, "gemini", HEAD)]
    facts = made.facts(made.in_review("a"), one, two, **approved)
    assert actions(facts) == []
    assert why(facts) == "1 of 2 agents approved, and no other can be asked; a.review-1: no key"
    assert decide(TWO, facts).is_over()


def test_with_enough_verdicts_nobody_is_asked_and_what_else_is_needed_is_up_to_people() -> None:
    facts = made.facts(
        made.in_review("a", reviews_required=3),
        made.reviewer("a", 1, "codex", *VERDICT),
        made.reviewer("a", 2, "gemini", *VERDICT),
        **given(made.review(FIRST, 5), made.review(SECOND, 6, number=2)),
    )

    assert actions(facts) == []
    assert why(facts) == "2 of 3 approvals; conductor-git approve a"


def test_an_approval_of_an_earlier_commit_counts_for_nothing_and_its_agent_is_asked_again() -> None:
    before = made.reviewer("a", 1, "codex", *VERDICT)
    moved = run("a", START, DONE, CHANGES, DONE, head=NEXT)

    facts = made.facts(moved, before, **given(made.review(FIRST, 2.5)))

    assert actions(facts) == [Ask(A, SECOND, "codex", NEXT)]


def test_the_same_commit_handed_in_again_is_looked_at_again() -> None:
    before = made.reviewer("a", 1, "codex", *VERDICT)
    again = run("a", START, DONE, CHANGES, DONE)

    facts = made.facts(again, before, **given(made.review(FIRST, 2.5)))

    assert actions(facts) == [Ask(A, SECOND, "codex", HEAD)]


@pytest.mark.parametrize("now", [run("a", START, DONE, CHANGES), run("a", START, DONE, Event.SUPERSEDE, head=NEXT)])
def test_a_reviewer_of_what_is_not_in_review_any_more_is_recalled(now: Run) -> None:
    found = actions(made.facts(now, looking(1, "codex"), alive=(FIRST,)))

    assert Recall(FIRST, 2) in found
    refused = made.facts(now, looking(1, "codex"), alive=(FIRST,), tried={Recall(FIRST, 2): "it has just ended"})
    assert Recall(FIRST, 2) not in actions(refused)


def test_one_that_looks_at_an_earlier_commit_keeps_nobody_from_looking_at_this_one() -> None:
    moved = run("a", START, DONE, Event.SUPERSEDE, head=NEXT)
    both = (looking(1, "codex"), looking(2, "gemini"))

    assert Ask(A, TaskId("a.review-3"), "codex", NEXT) in actions(made.facts(moved, *both, alive=(FIRST, SECOND)))


def test_a_reviewer_that_has_lost_its_supervisor_is_resumed() -> None:
    left = looking(1, "codex", attempts=(made.attempt(1, end=None),), supervision=made.supervised())

    assert Resume(FIRST, 2, 1, "its supervisor is gone", made.SUPERVISOR) in actions(
        made.facts(made.in_review("a"), left)
    )


def test_a_reviewer_that_somebody_stopped_is_waited_for_by_nobody() -> None:
    stopped = looking(1, "codex", attempts=(made.attempt(1, End.STOPPED),))
    facts = made.facts(made.in_review("a"), stopped, since=made.NOON)

    assert actions(facts) == [Ask(A, SECOND, "gemini", HEAD)]
    both = made.facts(made.in_review("a"), stopped, made.reviewer("a", 2, "gemini", *VERDICT), since=made.NOON)
    assert decide(TWO, both).standings[A].stands is Stands.WAITING


def test_an_agent_that_could_not_be_asked_is_passed_over() -> None:
    refused = Ask(A, FIRST, "codex", HEAD)
    facts = made.facts(made.in_review("a"), tried={refused: "codex is not installed"})

    assert actions(facts) == [Ask(A, FIRST, "gemini", HEAD)]


def test_a_request_for_changes_by_an_agent_is_no_approval() -> None:
    facts = made.facts(
        made.in_review("a"),
        made.reviewer("a", 1, "codex", *VERDICT),
        **given(made.review(FIRST, 5, verdict=Verdict.REQUEST_CHANGES)),
    )

    assert actions(facts) == [Ask(A, SECOND, "gemini", HEAD)]
    both = made.facts(
        made.in_review("a"),
        made.reviewer("a", 1, "codex", *VERDICT),
        made.reviewer("a", 2, "gemini", *VERDICT),
        **given(made.review(FIRST, 5, verdict=Verdict.REQUEST_CHANGES), made.review(SECOND, 6, number=2)),
    )
    assert why(both) == "1 of 2 agents approved, and no other can be asked"
