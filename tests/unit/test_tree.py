"""The tree of tasks: every task once, below its parent where that is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from conductor_git.names import TaskId
from conductor_git.workflow.looking.tree import tree

NAMES = st.sampled_from([TaskId(name) for name in "abcdefgh"])


def shown(**parents: str | None) -> list[tuple[str, int]]:
    return list(tree({TaskId(name): TaskId(parent) if parent else None for name, parent in parents.items()}))


def test_children_stand_below_their_parent_and_siblings_by_name() -> None:
    assert shown(z=None, b="z", a="z", c="a", m=None) == [("m", 0), ("z", 0), ("a", 1), ("c", 2), ("b", 1)]


def test_a_child_whose_parent_is_not_shown_stands_at_the_top() -> None:
    assert shown(b="gone", z=None, a=None) == [("a", 0), ("b", 0), ("z", 0)]


def test_tasks_that_are_each_others_parents_are_shown_once() -> None:
    assert shown(b="c", c="b", a="a") == [("a", 0), ("b", 0), ("c", 1)]


@given(st.dictionaries(NAMES, st.none() | NAMES))
def test_whatever_the_records_say_every_task_is_shown_once(parents: dict[TaskId, TaskId | None]) -> None:
    assert sorted(task_id for task_id, _ in tree(parents)) == sorted(parents)
