"""The pictures of pages: the life of a task, the graph of a plan, and conversations, always within their bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_git.message import Message, Parent
from conductor_git.names import RunId, TaskId
from conductor_git.run import Attempt, End, Event, Run
from conductor_git.server.pages.graph import graph
from conductor_git.server.pages.talk import conversations
from conductor_git.server.pages.timeline import WIDTH, timeline
from tests.unit.planned_runs import NOON, run


def attempt(number: int, start: datetime, seconds: float | None, code: int | None = 0) -> Attempt:
    ended = None if seconds is None else start + timedelta(seconds=seconds)
    end = None if seconds is None else End.EXITED
    return Attempt(
        RunId(f"run-{number}"), "fast", None, None, None, started_at=start, ended_at=ended, end=end, exit_code=code
    )


# --- the timeline


@example([1.0] * 119, 0.0)
@given(st.lists(st.sampled_from([0.0, 0.001, 1.0, 86400.0, 4e7]), min_size=1, max_size=120), st.floats(-10, 1e8))
def test_the_states_fill_the_line_one_after_the_other(lasting: list[float], since: float) -> None:
    at = NOON
    steps = list(run("pears").history)
    for number, seconds in enumerate(lasting, 2):
        at += timedelta(seconds=seconds)
        steps.append(replace(steps[0], revision=number, at=at))
    picture = timeline(replace(run("pears"), history=tuple(steps)), at + timedelta(seconds=since))
    assert len(picture.stretches) == len(steps)
    assert picture.stretches[0].x == 0
    assert all(abs(one.x + one.width - after.x) < 0.2 for one, after in pairwise(picture.stretches))
    last = picture.stretches[-1]
    assert abs(last.x + last.width - WIDTH) < 0.2
    assert all(one.width >= min(16, WIDTH / len(steps)) - 0.1 for one in picture.stretches)


def test_a_task_that_ended_ends_its_line_and_one_that_goes_on_runs_to_now() -> None:
    later = NOON + timedelta(days=30)
    ended = timeline(run("pears", Event.START, Event.CANCEL), later)
    assert ended.stretches[-1].said.endswith("for 0s")
    assert timeline(run("pears", Event.START), later).stretches[-1].said.endswith("for 29d")


def test_only_the_last_eight_attempts_are_drawn_under_their_own_numbers() -> None:
    attempts = tuple(attempt(number, NOON + timedelta(seconds=number), 1) for number in range(20))
    picture = timeline(replace(run("pears", Event.START), attempts=attempts, attempts_before=5), NOON)
    assert [bar.label for bar in picture.bars] == [f"{number} fast" for number in range(18, 26)]
    assert picture.height == 58 + 8 * 22
    assert all(0 <= bar.x <= WIDTH - 6 and bar.width >= 6 for bar in picture.bars)


@pytest.mark.parametrize(("seconds", "code", "kind"), [(None, None, "running"), (1, 0, "ended"), (1, 1, "failed")])
def test_an_attempt_is_drawn_as_it_went(seconds: float | None, code: int | None, kind: str) -> None:
    one = replace(run("pears", Event.START), attempts=(attempt(1, NOON, seconds, code),))
    assert [bar.kind for bar in timeline(one, NOON + timedelta(hours=1)).bars] == [kind]


# --- the graph


def needing(task_id: str, *needs: str) -> Run:
    return replace(run(task_id), needs=tuple(map(TaskId, needs)))


def test_thirty_tasks_stand_to_the_right_of_all_that_they_need_and_on_nobody_else() -> None:
    # Each needs the one before it in its row of five, and the first of the row above.
    runs = [
        needing(f"t{at:02}", *([f"t{at - 1:02}"] if at % 5 else []), *([f"t{at - at % 5 - 5:02}"] if at >= 5 else []))
        for at in range(30)
    ]
    picture = graph(runs)
    at = {box.task_id: box for box in picture.boxes}
    assert len(at) == 30
    assert all(at[need].x + picture.box[0] < at[one.task_id].x for one in runs for need in one.needs)
    assert len({(box.x, box.y) for box in picture.boxes}) == 30
    assert all(
        box.x + picture.box[0] <= picture.width and box.y + picture.box[1] <= picture.height for box in at.values()
    )
    assert len(picture.arrows) == sum(len(one.needs) for one in runs)
    assert all(arrow.x1 < arrow.x2 for arrow in picture.arrows)


def test_what_is_needed_and_has_no_record_is_drawn_without_a_state() -> None:
    assert [(box.task_id, box.state) for box in graph([needing("a", "gone")]).boxes] == [
        ("gone", None),
        ("a", "ASSIGNED"),
    ]


def test_needs_that_go_round_in_a_circle_end() -> None:
    picture = graph([needing("a", "b"), needing("b", "a"), needing("c"), needing("d", "d")])
    assert sorted(box.task_id for box in picture.boxes) == ["a", "b", "c", "d"]


def test_a_long_name_is_cut_and_no_tasks_are_no_picture() -> None:
    (box,) = graph([needing("x" * 60)]).boxes
    assert (len(box.label), box.label[-1], box.task_id) == (24, "…", "x" * 60)
    assert graph([]).boxes == ()


# --- conversations


def said(name: str, *answers: str, **more: object) -> Message:
    parents = tuple(Parent(one, "answers") for one in answers)
    return Message("USER", f"says {name}", parents=parents, msg_id=name, ts="2026-11-20T12:00:00.000000000Z", **more)  # type: ignore[arg-type]


def test_an_answer_stands_below_what_it_answers() -> None:
    words = conversations([said("a"), said("b"), said("c", "a"), said("d", "b"), said("e", "c"), said("f", "a")])
    assert [(word.message.msg_id, word.depth) for word in words] == [
        ("a", 0),
        ("c", 1),
        ("e", 2),
        ("f", 1),
        ("b", 0),
        ("d", 1),
    ]


def test_an_answer_names_what_it_answers_by_its_time_where_its_id_tells_one() -> None:
    answers = [said("a"), said("b", "a"), said("c", "MSG-20261120-101502-123456789-PID04242-0001")]
    assert [word.answers for word in conversations(answers)] == ["", "an earlier one", "10:15:02"]


def test_an_answer_to_what_is_not_shown_stands_by_itself_and_depth_has_a_bound() -> None:
    chain = [said("1", "gone"), *(said(str(number), str(number - 1)) for number in range(2, 20))]
    words = conversations(chain)
    assert [word.message.msg_id for word in words] == [str(number) for number in range(1, 20)]
    assert [word.depth for word in words][:6] == [0, 1, 2, 3, 4, 4]


def test_answers_that_go_round_in_a_circle_are_each_shown_once() -> None:
    words = conversations([said("a", "b"), said("b", "a"), said("c")])
    assert sorted(word.message.msg_id for word in words) == ["a", "b", "c"]


def test_who_said_it_and_what_without_the_name_of_the_task() -> None:
    message = said("a", task_id="pears", meta={"by": "grace"})._replace(body="pears: is dear\udcff")
    (word,) = conversations([message])
    assert (word.who, word.body, word.clock) == ("grace", "is dear\ufffd", "2026-11-20 12:00:00")
