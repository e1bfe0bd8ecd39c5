"""Short sequences on the queue and on undo, which random ones come to seldom. The session judges each command."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from conductor_git.actor import COORDINATOR, Actor
from conductor_git.names import TaskId
from tests import kit
from tests.property import laws, people
from tests.property.queueing import QueueSession

ASH: Final = TaskId("ash")
BIRCH: Final = TaskId("birch")
CEDAR: Final = TaskId("cedar")


@pytest.fixture
def session(repository: Path, tmp_path: Path) -> QueueSession:
    """A session whose targets have the gate."""
    place = tmp_path / "here"
    place.mkdir()
    started = QueueSession(repository, place)
    started.world.have_gates()
    return started


def approve(session: QueueSession, task_id: TaskId, name: str, content: int) -> None:
    session.start(task_id, COORDINATOR)
    people.commit(session.tasks[task_id].worktree, name, content)
    session.done(task_id, COORDINATOR, wip=False)
    session.verdict(task_id, Actor("ada"), "approve")


def approved(
    session: QueueSession, task_id: TaskId, name: str, content: int, *needs: TaskId, priority: int = 0
) -> None:
    session.spawn(task_id, None, "main", 1, existing=False, needs=needs, priority=priority)
    approve(session, task_id, name, content)


def process(session: QueueSession) -> None:
    session.process("merge", cleanup=True)


def end(session: QueueSession, **states: str) -> None:
    """Where a test ends: each task in its state, with everything in order."""
    laws.hold(session.world, session.tasks)
    assert {name: task.state for name, task in session.tasks.items()} == states
    kit.git(session.world.repository, "fsck", "--strict", "--no-dangling")


def test_what_is_red_in_the_middle_bounces_and_what_is_on_top_of_it_lands(session: QueueSession) -> None:
    approved(session, ASH, "a.txt", 1)
    approved(session, BIRCH, "docs/b.txt", 1)
    approved(session, CEDAR, "src/prices.py", 1)

    process(session)

    end(session, ash="COMPLETED", birch="WORKING", cedar="COMPLETED")


def test_two_that_conflict_with_each_other_do_not_both_bounce(session: QueueSession) -> None:
    approved(session, ASH, "a.txt", 1)
    approved(session, BIRCH, "a.txt", 2)
    approved(session, CEDAR, "docs/b.txt", 3)

    process(session)

    end(session, ash="COMPLETED", birch="WORKING", cedar="COMPLETED")


def test_what_is_needed_lands_before_what_has_a_higher_priority(session: QueueSession) -> None:
    session.spawn(ASH, None, "main", 1, existing=False)
    approved(session, BIRCH, "src/prices.py", 2, ASH, priority=5)
    session.merge(BIRCH, "merge", cleanup=True, dry_run=False)
    process(session)
    end(session, ash="ASSIGNED", birch="APPROVED")
    approve(session, ASH, "a.txt", 1)

    process(session)

    end(session, ash="COMPLETED", birch="COMPLETED")


def test_what_needs_a_red_one_stays_approved(session: QueueSession) -> None:
    people.commit(session.world.repository, "a.txt", 1)
    session.world.note_targets()
    approved(session, ASH, "docs/b.txt", 1)
    approved(session, BIRCH, "src/prices.py", 2, ASH)
    approved(session, CEDAR, "README.md", 3)

    process(session)

    end(session, ash="WORKING", birch="APPROVED", cedar="COMPLETED")


def test_an_undo_that_would_turn_the_target_red_is_refused_by_the_gates(session: QueueSession) -> None:
    people.commit(session.world.repository, "docs/b.txt", 2)
    session.world.note_targets()
    approved(session, ASH, "docs/b.txt", 3)
    process(session)
    approved(session, BIRCH, "a.txt", 2)
    process(session)

    session.undo(ASH)

    end(session, ash="COMPLETED", birch="COMPLETED")


def test_what_was_undone_lands_once_more_after_a_retry(session: QueueSession) -> None:
    approved(session, ASH, "a.txt", 1)
    process(session)
    session.undo(ASH)
    end(session, ash="CANCELLED")
    session.retry(ASH, reset=False)
    session.start(ASH, COORDINATOR)
    session.done(ASH, COORDINATOR, wip=False)
    session.verdict(ASH, Actor("ada"), "approve")

    process(session)

    end(session, ash="COMPLETED")
    assert (session.world.repository / "a.txt").read_text() == "1\n"


@pytest.mark.parametrize("strategy", ["squash", "rebase"])
def test_an_undo_below_later_landings_takes_back_its_own_change_only(session: QueueSession, strategy: str) -> None:
    approved(session, ASH, "a.txt", 1)
    approved(session, BIRCH, "docs/b.txt", 2)
    session.process(strategy, cleanup=True)

    session.undo(ASH)

    end(session, ash="CANCELLED", birch="COMPLETED")
    assert not (session.world.repository / "a.txt").exists()
    assert (session.world.repository / "docs/b.txt").exists()


def test_an_undo_stays_out_of_a_file_that_a_person_has_changed(session: QueueSession) -> None:
    approved(session, ASH, "a.txt", 1)
    process(session)
    people.edit(session.world.repository, "a.txt", 4)

    session.undo(ASH)

    end(session, ash="COMPLETED")
