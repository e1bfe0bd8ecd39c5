"""Foresight without a repository: bases, meetings, parsers, whose clash it is, the order, and what was told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conductor_git.foresight.ancestry import Listing, bases
from conductor_git.foresight.changed import Changed, Own, own
from conductor_git.foresight.changed import parse as parse_changes
from conductor_git.foresight.collide import of_their_own
from conductor_git.foresight.meeting import meetings
from conductor_git.foresight.merging import Clash, parse
from conductor_git.foresight.order import landing_order
from conductor_git.foresight.told import Told
from conductor_git.names import CommitId, TaskId
from conductor_git.run import Event, Run, State, Step

AT = datetime(2026, 1, 5, tzinfo=UTC)
ZERO = "0" * 40
PAIR = ("a" * 40, "b" * 40)


def changed(text: str) -> Own:
    """`+path` adds, `-path` removes, `path` changes."""
    words = [(word[0], word.lstrip("+-")) for word in text.split()]
    whole = [Changed(path, f"old {path}", f"new {path}") for _, path in words]
    signs = [sign for sign, _ in words]
    return own(
        change._replace(old="") if sign == "+" else change._replace(new="") if sign == "-" else change
        for sign, change in zip(signs, whole, strict=True)
    )


def run(task_id: str, state: State = State.WORKING, needs: tuple[str, ...] = (), priority: int = 0) -> Run:
    return Run(
        task_id=TaskId(task_id), project_id="acme", title=task_id, state=state, revision=1, generation=1,
        branch=f"worker/{task_id}", target="main", base_commit=CommitId(ZERO), worktree="/w", agent=None,
        needs=tuple(map(TaskId, needs)), priority=priority, created_at=AT, updated_at=AT,
        history=(Step(1, Event.SPAWN, State.ASSIGNED, AT, "coordinator"),),
    )  # fmt: skip


def order(runs: list[Run], colliding: str = "", against: str = "") -> list[str]:
    pairs = [(TaskId(pair[0]), TaskId(pair[1])) for pair in colliding.split()]
    return list(landing_order(runs, pairs, set(map(TaskId, against))))


@pytest.mark.parametrize(
    ("parents", "tip", "target", "expected"),
    [
        ({"t": ["c"], "w": ["c"]}, "w", "t", ["c"]),
        ({"t": ["x"], "x": ["c"], "w": ["x"]}, "w", "t", ["x"]),
        ({"t": ["x"], "x": ["c"], "m": ["w", "x"], "w": ["c"]}, "m", "t", ["x"]),
        ({"x": ["c"], "y": ["c"], "t": ["x", "y"], "w": ["y", "x"]}, "w", "t", ["x", "y"]),
        ({"t": ["c"]}, "t", "t", ["t"]),
        ({"t": ["c"]}, "c", "t", ["c"]),
        ({"w": ["old"], "t": ["c"]}, "w", "t", ["c"]),
    ],
)
def test_the_best_common_ancestors_are_found_in_a_listing(
    parents: dict[str, list[str]], tip: str, target: str, expected: list[str]
) -> None:
    reach, todo = set[str](), [target]
    while todo:
        commit = todo.pop()
        reach.add(commit)
        todo += parents.get(commit, [])

    assert list(bases(Listing(parents, "c"), tip, frozenset(reach))) == expected


def test_histories_with_nothing_in_common_have_no_base() -> None:
    assert bases(Listing({"w": [], "t": []}, None), "w", frozenset("t")) == ()


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("x", "x", True),
        ("+x", "-x", True),
        ("x", "y", False),
        ("x", "+x/y", True),
        ("+x/y/z", "x", True),
        ("x", "xy/z", False),
        ("-d/x +e/x", "+d/new", True),
        ("-d/s/x +e/s/x", "+d/new", True),
        ("-d/x +e/x", "d/old", False),
        ("-d/x", "+d/new", False),
        ("-x +e/x", "+new", False),
    ],
)
def test_changes_meet_where_a_merge_could_conflict(one: str, other: str, meet: bool) -> None:
    a, b = TaskId("a"), TaskId("b")

    assert meetings({a: changed(one), b: changed(other)}) == (((a, b),) if meet else ())
    assert meetings({a: changed(other), b: changed(one)}) == (((a, b),) if meet else ())


def test_changes_are_parsed_by_their_place_also_of_a_path_that_is_the_break() -> None:
    modified = f"\n:100644 100755 {'1' * 40} {'2' * 40} M"
    fields = ["\x01", modified, "\x01", f":000000 120000 {ZERO} {'3' * 40} A", "new", "\x01", "\x01", modified, "x"]

    found = list(parse_changes(fields))

    both = ("1" * 40, "2" * 40)
    assert found == [(Changed("\x01", *both), Changed("new", "", "3" * 40)), (), (Changed("x", *both),)]


def test_merges_are_parsed_and_the_names_that_git_makes_up_are_undone() -> None:
    entries = [f"100644 {'1' * 40} 1\tq~{PAIR[1]}_0", f"100644 {'2' * 40} 3\tq~{PAIR[1]}_0"]
    told = ["2", f"q~{PAIR[1]}_0", "q", "CONFLICT (file/directory)", "text", "1", "x", "Auto-merging", "text"]
    fields = [
        "1",
        "tree",
        "",
        "0",
        "tree",
        *entries,
        "",
        *told,
        "",
        "0",
        "tree",
        "",
        "1",
        "e/n",
        "CONFLICT (dir)",
        "t",
        "",
    ]

    found = list(parse(fields, [PAIR, PAIR, PAIR]))

    clash = Clash("q", "1" * 40, "", "2" * 40, (), ("file/directory",))
    assert found == [(), (clash,), (Clash("e/n", "", "", "", (), ("dir",)),)]


@pytest.mark.parametrize("length", range(9))
def test_an_answer_that_was_cut_off_counts_for_nothing(length: int) -> None:
    whole = ["0", "tree", f"100644 {'1' * 40} 2\tx", "", "1", "x", "CONFLICT (contents)", "text", ""]

    assert list(parse(["1", "tree", "", *whole[:length]], [PAIR, PAIR])) == [()]


CLASH = Clash("x", "old", "mine", "theirs")


@pytest.mark.parametrize(
    ("clash", "first", "second", "theirs"),
    [
        (CLASH, "x", "x", True),
        (CLASH, "x", "y", False),
        (CLASH._replace(near=("y",)), "x", "y", True),
        (CLASH._replace(second="new z"), "x", "z", True),
        (CLASH._replace(second=""), "x", "y", False),
        (CLASH._replace(second="", base=""), "x", "y", True),
        (CLASH._replace(second="", base="old y"), "x", "-y", True),
    ],
)
def test_a_clash_is_the_workers_own_where_both_sides_are_their_doing(
    clash: Clash, first: str, second: str, theirs: bool
) -> None:
    assert of_their_own((clash,), changed(first), changed(second), ()) == ((clash,) if theirs else ())
    assert of_their_own((clash,), changed(first), changed(second), {"x"}) == ()


def test_the_order_takes_first_what_collides_with_the_fewest_that_are_left() -> None:
    runs = [run(name) for name in "abcd"]

    assert order(runs, "ab ac ad") == ["b", "c", "a", "d"]
    assert order(runs, "ab", against="c") == ["d", "a", "b", "c"]


def test_ties_go_by_state_then_priority_then_name() -> None:
    states = (State.ASSIGNED, State.WORKING, State.IN_REVIEW, State.APPROVED)
    ranked = [run(name, state) for name, state in zip("abcd", states, strict=True)]

    assert order(ranked) == ["d", "c", "b", "a"]
    assert order([run("a"), run("b"), run("c", priority=1)]) == ["c", "a", "b"]


def test_needs_come_first_unless_they_are_not_live_or_go_in_a_circle() -> None:
    assert order([run("a", needs=("b", "gone")), run("b"), run("c")], "bc") == ["b", "a", "c"]
    assert order([run("a", needs=("b",)), run("b", needs=("a",)), run("c")]) == ["c", "a", "b"]


def test_what_was_told_is_forgotten_when_it_is_gone_and_kept_where_nobody_could_look() -> None:
    told = Told(3, frozenset({("a", "b"), ("c", "d")}))

    assert told.after([("a", "b"), ("c", "d")], ()) is told
    assert told.after([("a", "b")], ()) == Told(4, frozenset({("a", "b")}))
    assert told.after([("a", "b")], {"d"}) is told
    assert told.after([*told.keys, ("a", "e")], ()) == replace_keys(told, ("a", "e"))


def replace_keys(told: Told, *more: tuple[str, str]) -> Told:
    return told._replace(turn=told.turn + 1, keys=told.keys | set(more))


def test_a_run_keeps_its_place_whatever_order_the_records_come_in() -> None:
    runs = [replace(run(name), priority=number % 2) for number, name in enumerate("abcdef")]

    assert order(runs, "ab cd ef") == order(runs[::-1], "ef cd ab")
