"""Which approved task lands next: a reader's model of the rules, next to the function."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from conductor_git.landing.order import Queue, approved_at, queue, targets
from conductor_git.names import CommitId, TaskId
from conductor_git.run import Event, Run, State, Step

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
COMMIT = CommitId("a" * 40)


def task(
    name: str,
    minute: int = 0,
    *,
    needs: tuple[str, ...] = (),
    priority: int = 0,
    state: State = State.APPROVED,
    target: str = "main",
) -> Run:
    """A task that was approved `minute` minutes after noon."""
    at = NOON + timedelta(minutes=minute)
    return Run(
        project_id="acme",
        task_id=TaskId(name),
        title=name,
        state=state,
        branch=f"worker/{name}",
        target=target,
        base_commit=COMMIT,
        worktree=f"/w/{name}",
        agent=None,
        created_at=NOON,
        updated_at=at,
        needs=tuple(map(TaskId, needs)),
        priority=priority,
        history=(Step(2, Event.APPROVE, State.APPROVED, at, "ada", COMMIT),),
    )


def ids(found: Queue) -> list[str]:
    return [run.task_id for run in found.ready]


def waits(found: Queue) -> dict[str, tuple[str, ...]]:
    return {one.run.task_id: one.needs for one in found.waiting}


def test_what_was_approved_first_lands_first() -> None:
    found = queue([task("late", 2), task("early", 1)], "main")

    assert ids(found) == ["early", "late"]
    assert (found.place(TaskId("early")), found.place(TaskId("late")), found.place(TaskId("other"))) == (1, 2, None)


def test_the_last_approval_counts() -> None:
    again = task("again", 1)
    again = Run(**{name: getattr(again, name) for name in again.__dataclass_fields__} | {
        "history": (*again.history, Step(5, Event.APPROVE, State.APPROVED, NOON + timedelta(minutes=9), "ada", COMMIT))
    })  # fmt: skip

    assert approved_at(again) == NOON + timedelta(minutes=9)
    assert ids(queue([again, task("other", 5)], "main")) == ["other", "again"]


def test_a_higher_priority_goes_before_an_earlier_approval() -> None:
    assert ids(queue([task("a", 1), task("b", 2, priority=5), task("c", 3, priority=-1)], "main")) == ["b", "a", "c"]


def test_what_an_urgent_task_needs_goes_before_it_and_before_the_others() -> None:
    found = queue([task("a", 1), task("urgent", 3, priority=9, needs=("base",)), task("base", 2)], "main")

    assert ids(found) == ["base", "urgent", "a"]


def test_a_task_waits_for_what_has_not_landed_and_is_not_in_the_queue() -> None:
    runs = [task("a", needs=("working", "landed", "gone")), task("working", state=State.WORKING)]
    runs += [task("landed", state=State.COMPLETED), task("b", 1, needs=("a",))]

    found = queue(runs, "main")

    assert ids(found) == []
    assert waits(found) == {"a": ("working", "gone"), "b": ("a",)}


def test_tasks_that_need_each_other_wait_and_hold_nobody_else_up() -> None:
    found = queue([task("a", needs=("b",)), task("b", needs=("a",)), task("c", 5)], "main")

    assert ids(found) == ["c"]
    assert waits(found) == {"a": ("b",), "b": ("a",)}


def test_a_need_that_is_approved_for_another_target_is_waited_for() -> None:
    runs = [task("a", needs=("there",)), task("there", target="release")]

    assert waits(queue(runs, "main")) == {"a": ("there",)}
    assert ids(queue(runs, "release")) == ["there"]
    assert targets(runs) == ("main", "release")


@st.composite
def crowds(draw: st.DrawFn) -> list[Run]:
    names = [f"t{number}" for number in range(draw(st.integers(1, 8)))]
    return [
        task(
            name,
            draw(st.integers(0, 5)),
            needs=tuple(draw(st.lists(st.sampled_from([*names, "unknown"]), max_size=2, unique=True))),
            priority=draw(st.integers(-1, 1)),
            state=draw(st.sampled_from([State.APPROVED, State.APPROVED, State.COMPLETED, State.WORKING])),
        )
        for name in names
    ]


@given(crowds())
def test_every_approved_task_is_ready_after_its_needs_or_waits_for_one_that_cannot_land(runs: list[Run]) -> None:
    found = queue(runs, "main")

    approved = {run.task_id for run in runs if run.state is State.APPROVED}
    landed = {run.task_id for run in runs if run.state is State.COMPLETED}
    assert sorted([*ids(found), *waits(found)]) == sorted(approved)
    done = set(landed)
    for run in found.ready:
        assert set(run.needs) <= done
        done.add(run.task_id)
    for name, needs in waits(found).items():
        assert needs != ()
        assert done.isdisjoint(needs), name


@given(crowds())
def test_where_nobody_needs_anybody_the_order_is_priority_then_time(runs: list[Run]) -> None:
    free = [run for run in runs if not run.needs]

    found = queue(free, "main")

    ranks = [(-run.priority, approved_at(run), run.task_id) for run in found.ready]
    assert ranks == sorted(ranks)
    assert found.waiting == ()
