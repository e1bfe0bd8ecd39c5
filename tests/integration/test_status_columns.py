"""What `status` says of a task beside its state: what it collides with, where it is in the queue, why it came back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import kit
from tests.integration import situations as at
from tests.kit import tasks


def cell(repository: Path, column: str, task_id: str = "prices", *options: str) -> str:
    """What the table shows of a task in a column; empty where that is left out."""
    done = kit.conductor("status", *options, cwd=repository)
    assert (done.code, done.err) == (0, ""), done
    head, *lines = done.out.splitlines()
    if column not in head.split():
        return ""
    start = head.index(column)
    (line,) = [line for line in lines if line.split()[0] == task_id]
    return line[start:].split("  ")[0].strip()


def row(repository: Path, task_id: str = "prices") -> dict[str, Any]:
    rows = kit.conductor("status", "--json", "--all", cwd=repository).document["tasks"]
    return next(row for row in rows if row["task_id"] == task_id)


NOTES: dict[Callable[[Path], None], str] = {
    at.in_conflict: "CONFLICT",
    at.with_a_red_gate: "GATE_FAILED",
    at.with_changes_requested: "changes requested",
    at.second_in_the_queue: "2. in the queue",
    at.approved_and_in_need: "needs pears",
    at.blocked: "BLOCKED",
    at.begun: "",
    at.in_review: "",
    at.undone: "undone",
}


@pytest.mark.parametrize("make", NOTES, ids=[make.__name__ for make in NOTES])
def test_a_note_says_what_the_state_does_not(repository: Path, make: Callable[[Path], None]) -> None:
    make(repository)

    assert cell(repository, "NOTE", "prices", "--all") == NOTES[make]


def test_a_reviewers_task_is_shown_with_what_it_reviews(repository: Path) -> None:
    at.in_review_by_an_agent(repository)

    assert cell(repository, "NOTE", "look") == "reviews prices"
    assert row(repository, "look")["review_of"] == "prices"


def test_the_tasks_that_one_collides_with_are_named_and_its_target_is(repository: Path) -> None:
    for number in range(4):
        tasks.commit(tasks.spawn(repository, f"task-{number}"), {"src/prices.py": f"PRICES = {number}\n"})

    assert cell(repository, "COLLIDES", "task-0") == "task-1, task-2 +1"
    assert row(repository, "task-0")["collides"] == ["task-1", "task-2", "task-3"]
    assert row(repository, "task-0")["would_conflict"] == []

    tasks.commit(repository, {"src/prices.py": "PRICES = 5\n"})

    assert cell(repository, "COLLIDES", "task-0") == "target, task-1 +2"
    assert row(repository, "task-0")["would_conflict"] == ["src/prices.py"]


def test_what_is_foreseen_is_asked_again_as_soon_as_a_branch_moves(repository: Path) -> None:
    first, second = tasks.spawn(repository, "first"), tasks.spawn(repository, "second")
    tasks.commit(first, {"src/prices.py": "PRICES = 1\n"})
    assert cell(repository, "COLLIDES", "first") == ""

    tasks.commit(second, {"src/prices.py": "PRICES = 2\n"})
    assert cell(repository, "COLLIDES", "first") == "second"

    kit.git(second, "reset", "--quiet", "--hard", "main")
    assert cell(repository, "COLLIDES", "first") == ""


def test_without_anything_to_meet_the_columns_are_left_out(repository: Path) -> None:
    tasks.commit(tasks.spawn(repository, "prices"), at.WORK)

    head = kit.conductor("status", cwd=repository).out.splitlines()[0]

    assert head.split() == ["TASK", "STATE", "HEALTH", "AGE", "±TARGET", "FILES"]


@pytest.mark.parametrize(
    "content", ["", "no json", '{"version": 1}', '{"version": 1, "question": [], "told": {}}', "[]"]
)
def test_what_was_remembered_of_collisions_may_be_damaged(repository: Path, content: str) -> None:
    for number in range(2):
        tasks.commit(tasks.spawn(repository, f"task-{number}"), {"src/prices.py": f"PRICES = {number}\n"})
    assert cell(repository, "COLLIDES", "task-0") == "task-1"
    remembered = repository / ".git/conductor/foresight/glimpse"
    assert remembered.is_file()

    remembered.write_text(content)

    assert cell(repository, "COLLIDES", "task-0") == "task-1"


def test_what_a_killed_look_left_half_written_goes_with_the_next_that_has_something_to_keep(repository: Path) -> None:
    worktrees = [tasks.spawn(repository, f"task-{number}") for number in range(2)]
    for worktree in worktrees:
        tasks.commit(worktree, {"src/prices.py": f"PRICES = {worktree.name!r}\n"})
    assert cell(repository, "COLLIDES", "task-0") == "task-1"
    left = repository / ".git/conductor/foresight/.glimpse.4194000-3.tmp"
    left.write_text('{"version')
    tasks.commit(worktrees[0], {"src/more.py": "MORE = 1\n"})

    assert cell(repository, "COLLIDES", "task-0") == "task-1"

    assert not left.exists()


def test_how_long_an_agent_may_be_quiet_is_what_the_config_said_at_the_last_spawn(repository: Path) -> None:
    at.with_an_agent_at_work(repository)
    beat = repository / ".git/conductor/tasks/prices/activity"
    kit.until(beat.exists)
    an_hour_ago = beat.stat().st_mtime - 3600
    os.utime(beat, (an_hour_ago, an_hour_ago))

    assert row(repository)["health"] == "slow"

    (repository / ".conductor.yaml").write_text("limits: {quiet_after: 2h}\n")
    tasks.spawn(repository, "pears")
    os.utime(beat, (an_hour_ago, an_hour_ago))

    assert row(repository)["health"] == "alive"
    kit.conductor("stop", "prices", cwd=repository)


def test_ended_tasks_do_not_cost_a_reading_and_are_there_when_asked_for(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    at.run(repository, "cancel", "prices")
    record = repository / ".git/conductor/tasks/prices/run-info.yaml"
    record.write_text(record.read_text() + "more: {\n")

    assert kit.conductor("status", cwd=repository).err.startswith("○ no live tasks")
    assert "UNREADABLE" in kit.conductor("status", "--all", cwd=repository).out


def test_a_state_that_is_none_is_a_record_that_cannot_be_read(repository: Path) -> None:
    tasks.spawn(repository, "prices")
    record = repository / ".git/conductor/tasks/prices/run-info.yaml"
    record.write_text(record.read_text().replace("state: WORKING", "state: DREAMING"))

    assert "UNREADABLE" in kit.conductor("status", cwd=repository).out
