"""What a supervisor does next: a pure function of what is on record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from conductor_git.config.model import Limits
from conductor_git.names import CommitId, RunId, TaskId
from conductor_git.run import KEPT_ATTEMPTS, Attempt, Doing, End, Event, Run, State, Step, how_it_ended
from conductor_git.runner.stop import with_attempt
from conductor_git.runner.supervising.series import Begin, GiveUp, Leave, Pause, next_step, series

NOON: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LIMITS: Final = Limits(attempts=3, backoff=5.0, limit_wait=3600.0)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def attempt(began: float, end: End | None = End.EXITED, *, agent: str = "claude", **facts: Any) -> Attempt:
    values = {"exit_code": 0 if end is End.EXITED else None, "ended_at": None if end is None else at(began + 10)}
    return Attempt(RunId(f"run-{began}"), agent, 1, 1.0, 1, at(began), end=end, **(values | facts))


def run(*attempts: Attempt, **facts: Any) -> Run:
    spawned = Step(1, Event.SPAWN, State.ASSIGNED, NOON, "coordinator")
    values: dict[str, Any] = {"state": State.WORKING, "agent": "claude", "history": (spawned,)} | facts
    return Run(
        project_id="acme",
        task_id=TaskId("prices"),
        title="prices",
        branch="worker/prices",
        target="main",
        base_commit=CommitId("a" * 40),
        worktree="/tmp/x",
        created_at=NOON,
        updated_at=NOON,
        attempts=attempts,
        **values,
    )


@pytest.mark.parametrize("state", [State.ASSIGNED, State.WORKING])
def test_the_first_attempt_begins_at_once(state: State) -> None:
    assert next_step(run(state=state), LIMITS, NOON) == Begin("claude")


@pytest.mark.parametrize("state", [state for state in State if state not in (State.ASSIGNED, State.WORKING)])
def test_a_task_that_is_not_its_workers_is_left_alone(state: State) -> None:
    assert next_step(run(attempt(0), state=state), LIMITS, at(60)) == Leave()


def test_an_attempt_without_done_is_followed_by_another_after_a_pause_that_doubles() -> None:
    one, two = attempt(0), attempt(20)

    assert next_step(run(one), LIMITS, at(10)) == Pause(at(15), Doing.BACKOFF, "attempt 1 of 3 ended without `done`")
    assert next_step(run(one), LIMITS, at(15)) == Begin("claude")
    assert next_step(run(one, two), LIMITS, at(31)) == Pause(
        at(40), Doing.BACKOFF, "attempt 2 of 3 ended without `done`"
    )


def test_the_pause_ends_growing_at_five_minutes() -> None:
    many = [attempt(number * 1000) for number in range(11)]

    step = next_step(run(*many), replace_limits(attempts=20), at(10_010))

    assert isinstance(step, Pause)
    assert step.until == at(10_010 + 300)


def replace_limits(**changes: Any) -> Limits:
    return LIMITS.model_copy(update=changes)


def test_after_the_last_attempt_the_task_has_failed_with_the_reason_of_it() -> None:
    tried = [attempt(0), attempt(20), attempt(40, exit_code=7, why="no such module")]

    assert next_step(run(*tried), LIMITS, at(999)) == GiveUp(
        "3 attempts ended without `done`; the last, by claude, ended with exit code 7: no such module"
    )
    assert next_step(run(tried[2]), replace_limits(attempts=1), at(999)) == GiveUp(
        "claude ended with exit code 7: no such module"
    )


@pytest.mark.parametrize("event", [Event.RETRY, Event.REQUEST_CHANGES, Event.BOUNCE])
def test_what_comes_back_to_its_worker_has_all_its_attempts_again(event: Event) -> None:
    back = Step(9, event, State.WORKING, at(100), "ada")
    tried = run(attempt(0), attempt(20), attempt(40))

    assert next_step(replace(tried, history=(*tried.history, back)), LIMITS, at(101)) == Begin("claude")
    assert series(replace(tried, history=(*tried.history, back))) == ()


@pytest.mark.parametrize("end", [End.STOPPED, End.LIMITED])
def test_an_attempt_that_was_stopped_or_not_served_counts_for_nothing(end: End) -> None:
    tried = [attempt(0), attempt(20), attempt(40, end)]

    assert next_step(run(*tried), LIMITS, at(9_000)) == Begin("claude")


def test_done_within_the_last_attempt_ends_it_also_where_the_task_came_back_meanwhile() -> None:
    done = Step(3, Event.DONE, State.IN_REVIEW, at(5), "prices")
    back = Step(4, Event.REQUEST_CHANGES, State.WORKING, at(6), "ada")
    tried = run(attempt(0))

    assert series(replace(tried, history=(*tried.history, done, back))) == ()


def test_what_the_attempts_cost_together_ends_them() -> None:
    tried = [attempt(0, cost_usd=0.4), attempt(20, cost_usd=0.7)]
    limits = replace_limits(cost_usd=1.0)

    assert next_step(run(*tried), limits, at(999)) == GiveUp("its attempts cost $1.10, and limits.cost_usd is $1.00")
    assert next_step(run(tried[0]), limits, at(999)) == Begin("claude")
    again = replace(run(*tried), history=(Step(2, Event.RETRY, State.ASSIGNED, at(50), "ada"),))
    assert next_step(again, limits, at(999)) == Begin("claude"), "a retry has the whole sum again"


def test_a_provider_that_tells_a_time_is_asked_again_then() -> None:
    limited = attempt(0, End.LIMITED, why="usage limit reached", retry_at=at(1800))

    assert next_step(run(limited), LIMITS, at(60)) == Pause(
        at(1800), Doing.LIMIT, "claude was not served by its provider: usage limit reached"
    )
    assert next_step(run(limited), LIMITS, at(1800)) == Begin("claude")


def test_one_that_tells_none_is_asked_at_longer_and_longer_intervals() -> None:
    first = attempt(0, End.LIMITED)
    second = attempt(100, End.LIMITED)

    one, two = (next_step(run(*tried), LIMITS, at(0)) for tried in ((first,), (first, second)))

    assert isinstance(one, Pause)
    assert isinstance(two, Pause)
    assert (one.until, two.until) == (at(10 + 60), at(110 + 120))


def test_a_provider_is_not_waited_for_longer_than_the_config_says() -> None:
    limited = [attempt(0, End.LIMITED), attempt(100, End.LIMITED, why="quota used up", retry_at=at(9_000))]

    assert next_step(run(*limited), LIMITS, at(200)) == GiveUp(
        "claude was not served by its provider: quota used up; limits.limit_wait is 1h"
    )


@pytest.mark.parametrize("end", [End.UNSTARTABLE, End.REFUSED])
def test_an_agent_that_cannot_be_used_is_not_tried_again_and_the_next_one_takes_over(end: End) -> None:
    useless = attempt(0, end, why="no key")
    alone, followed = run(useless), run(useless, fallbacks=("codex",))

    given_up = next_step(alone, LIMITS, at(11))

    assert given_up == GiveUp(f"claude {how_it_ended(run(), useless)}")
    assert "no key" in how_it_ended(run(), useless)
    assert next_step(followed, LIMITS, at(11)) == Begin("codex")


def test_while_one_agent_is_not_served_the_next_one_works_and_where_none_is_the_soonest_is_waited_for() -> None:
    claude = attempt(0, End.LIMITED, retry_at=at(3000))
    codex = attempt(20, End.LIMITED, agent="codex", retry_at=at(1000))

    assert next_step(run(claude, fallbacks=("codex",)), LIMITS, at(30)) == Begin("codex")
    step = next_step(run(claude, codex, fallbacks=("codex",)), LIMITS, at(30))
    assert isinstance(step, Pause)
    assert step.until == at(1000)
    assert next_step(run(claude, codex, fallbacks=("codex",)), LIMITS, at(1000)) == Begin("codex")


def test_the_record_keeps_the_last_attempts_and_counts_the_others() -> None:
    task = run()
    for number in range(KEPT_ATTEMPTS + 5):
        task = with_attempt(task, attempt(number * 100))
    again = with_attempt(task, replace(task.attempts[3], why="seen"))

    assert (len(task.attempts), task.attempts_before) == (KEPT_ATTEMPTS, 5)
    assert task.attempts[-1].started_at == at((KEPT_ATTEMPTS + 4) * 100)
    assert ([known.why for known in again.attempts].index("seen"), again.attempts_before) == (3, 5)


def test_attempts_that_count_stay_on_record_longer_than_those_that_do_not() -> None:
    task = run()
    for number in range(2 * KEPT_ATTEMPTS):
        end = End.EXITED if number % 2 else End.LIMITED
        task = with_attempt(task, attempt(number * 100, end))

    assert all(known.end is End.EXITED for known in task.attempts[:-1])
    assert isinstance(next_step(task, replace_limits(attempts=KEPT_ATTEMPTS - 1), at(99_000)), GiveUp)


@pytest.mark.parametrize("end", End)
def test_every_end_has_words(end: End) -> None:
    assert how_it_ended(run(), attempt(0, end)) not in ("", "is running")
