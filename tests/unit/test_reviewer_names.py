"""What a reviewer's task is called: always an id, never that of another one."""

from __future__ import annotations

import pytest

from conductor_git.names import MAX_TASK_ID, TaskId, parse_task_id
from conductor_git.workflow.agent_review.naming import reviewer_id


def test_it_is_the_name_of_the_task_and_a_number_as_long_as_that_fits() -> None:
    assert reviewer_id(TaskId("fix-login"), 2) == "fix-login.review-2"
    assert reviewer_id(TaskId("a" * 55), 9) == "a" * 55 + ".review-9"


@pytest.mark.parametrize("length", range(50, MAX_TASK_ID + 1))
@pytest.mark.parametrize("number", [1, 10, 100])
def test_every_name_has_reviewers_whose_names_are_ids(length: int, number: int) -> None:
    for name in ("a" * length, ("a." * length)[: length - 1] + "a", ("a-" * length)[:length]):
        found = reviewer_id(parse_task_id(name), number)

        assert found == parse_task_id(found)
        assert found.endswith(f".review-{number}")


def test_long_names_that_begin_alike_have_reviewers_of_their_own() -> None:
    names = [TaskId("a" * 60 + end) for end in ("", "b", "c", "bb", ".b", "-b")]

    assert len({reviewer_id(name, number) for name in names for number in (1, 2, 10)}) == 3 * len(names)
