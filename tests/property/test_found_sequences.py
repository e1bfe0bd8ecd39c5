"""The sequences in which a promise was once broken, as short as they get. The session judges each command."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from conductor_git.actor import COORDINATOR, Actor
from conductor_git.names import TaskId
from tests import kit
from tests.property import laws, people
from tests.property.landing import LandingSession
from tests.property.model import Task

ALDER: Final = TaskId("alder")


@pytest.fixture
def session(repository: Path, tmp_path: Path) -> LandingSession:
    """A session with one task, started, whose worker has committed nothing yet."""
    place = tmp_path / "here"
    place.mkdir()
    started = LandingSession(repository, place)
    started.spawn(ALDER, None, "main", 1, existing=False)
    started.start(ALDER, COORDINATOR)
    return started


def task_of(session: LandingSession) -> Task:
    return session.tasks[ALDER]


def commit(session: LandingSession, name: str, content: int | None) -> None:
    people.commit(task_of(session).worktree, name, content)


def approved(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    session.done(ALDER, COORDINATOR, wip=False)
    session.verdict(ALDER, Actor("ada"), "approve")


def end(session: LandingSession, state: str) -> None:
    """Where a test ends: in `state`, with everything in order."""
    laws.hold(session.world, session.tasks)
    assert task_of(session).state == state
    kit.git(session.world.repository, "fsck", "--strict", "--no-dangling")


@pytest.mark.parametrize("stray", ["detach", "side branch"])
def test_a_reset_comes_back_to_the_branch_and_leaves_others_where_they_are(session: LandingSession, stray: str) -> None:
    commit(session, "a.txt", 1)
    people.in_worktree(task_of(session), stray)
    commit(session, "docs/b.txt", 2)
    session.ends(ALDER, COORDINATOR, "cancel")

    session.retry(ALDER, reset=True)

    end(session, "ASSIGNED")


def test_a_reset_keeps_the_branch_also_where_head_was_behind_it(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    kit.git(task_of(session).worktree, "switch", "--quiet", "--detach", "HEAD~1")
    session.ends(ALDER, COORDINATOR, "cancel")

    session.retry(ALDER, reset=True)

    end(session, "ASSIGNED")


def test_a_reset_ends_a_rebase_that_was_under_way(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    people.commit(session.world.repository, "a.txt", 2)
    session.world.note_targets()
    kit.git(task_of(session).worktree, "rebase", "--quiet", "main", ok=(1,))
    session.ends(ALDER, COORDINATOR, "cancel")

    session.retry(ALDER, reset=True)

    end(session, "ASSIGNED")


def test_a_reset_keeps_what_was_staged_beside_a_conflict(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    people.commit(session.world.repository, "a.txt", 2)
    session.world.note_targets()
    people.in_worktree(task_of(session), "merge")
    people.stage_and_take_back(task_of(session).worktree, "README.md", 3)
    session.ends(ALDER, COORDINATOR, "cancel")

    session.retry(ALDER, reset=True)

    end(session, "ASSIGNED")


def test_a_reset_does_not_move_a_branch_that_a_person_looks_at(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    people.in_worktree(task_of(session), "detach")
    people.in_checkout(session.world, "look", ALDER)
    session.ends(ALDER, COORDINATOR, "cancel")

    session.retry(ALDER, reset=True)

    end(session, "CANCELLED")


def test_a_worktree_is_not_made_again_from_a_branch_that_a_person_looks_at(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    people.in_worktree(task_of(session), "detach")
    commit(session, "docs/b.txt", 2)
    people.in_worktree(task_of(session), "delete")
    people.in_checkout(session.world, "look", ALDER)
    session.ends(ALDER, COORDINATOR, "cancel")

    session.retry(ALDER, reset=False)

    end(session, "CANCELLED")


def test_cleaning_up_does_not_delete_a_branch_that_a_person_looks_at(session: LandingSession) -> None:
    approved(session)
    people.in_worktree(task_of(session), "detach")
    people.in_checkout(session.world, "look", ALDER)
    assert session.world.head_ref(session.world.repository) == task_of(session).branch_ref

    session.merge(ALDER, "merge", cleanup=True, dry_run=False)

    end(session, "COMPLETED")


@pytest.mark.parametrize("then", ["merge", "retry", "retry --reset"])
def test_a_commit_that_only_the_head_of_a_deleted_worktree_holds_stays(session: LandingSession, then: str) -> None:
    approved(session)
    people.in_worktree(task_of(session), "detach")
    commit(session, "docs/b.txt", 2)
    people.in_worktree(task_of(session), "delete")

    if then == "merge":
        session.merge(ALDER, "squash", cleanup=True, dry_run=False)
    else:
        session.ends(ALDER, COORDINATOR, "cancel")
        session.retry(ALDER, reset=then != "retry")

    end(session, "COMPLETED" if then == "merge" else "ASSIGNED")


@pytest.mark.parametrize("head", ["HEAD", "HEAD~1"])
def test_a_squashed_branch_stays_kept_wherever_the_head_of_a_dirty_worktree_is(
    session: LandingSession, head: str
) -> None:
    approved(session)
    kit.git(task_of(session).worktree, "switch", "--quiet", "--detach", head)
    people.edit(task_of(session).worktree, "docs/b.txt", 2)

    session.merge(ALDER, "squash", cleanup=True, dry_run=False)

    end(session, "COMPLETED")


@pytest.mark.parametrize(("committed", "state"), [(True, "IN_REVIEW"), (False, "WORKING")])
def test_what_was_staged_and_taken_back_is_nothing_to_commit(
    session: LandingSession, committed: bool, state: str
) -> None:
    if committed:
        commit(session, "a.txt", 1)
    people.stage_and_take_back(task_of(session).worktree, "README.md", 2)

    session.done(ALDER, COORDINATOR, wip=True)

    end(session, state)


def test_a_new_file_that_was_staged_and_is_gone_is_uncommitted(session: LandingSession) -> None:
    commit(session, "a.txt", 1)
    people.stage_and_take_back(task_of(session).worktree, "new.txt", 2)

    session.done(ALDER, COORDINATOR, wip=False)

    end(session, "WORKING")


def test_a_block_names_the_file_that_is_staged_and_gone_and_no_other(session: LandingSession) -> None:
    commit(session, "new.txt", 2)
    approved(session)
    people.stage_and_take_back(session.world.repository, "new.txt", 3)

    session.merge(ALDER, "merge", cleanup=True, dry_run=False)

    end(session, "APPROVED")


def test_a_dry_run_does_not_send_a_moved_branch_back_to_review(session: LandingSession) -> None:
    approved(session)
    commit(session, "docs/b.txt", 2)

    session.merge(ALDER, "merge", cleanup=True, dry_run=True)

    end(session, "APPROVED")


def test_a_dry_run_does_not_complete_what_a_person_has_merged(session: LandingSession) -> None:
    approved(session)
    people.in_checkout(session.world, "merge", ALDER)
    session.world.note_targets()

    session.merge(ALDER, "merge", cleanup=True, dry_run=True)

    end(session, "APPROVED")


def test_what_a_person_has_merged_keeps_its_worktree_where_that_was_asked(session: LandingSession) -> None:
    approved(session)
    people.in_checkout(session.world, "merge", ALDER)
    session.world.note_targets()

    session.merge(ALDER, "merge", cleanup=False, dry_run=False)

    end(session, "COMPLETED")
    assert task_of(session).worktree.is_dir()


def test_a_rebase_whose_last_commit_brings_nothing_still_carries_the_trailers(session: LandingSession) -> None:
    commit(session, "docs/b.txt", 2)
    commit(session, "README.md", 3)
    approved(session)
    people.stage(session.world.repository, "src/prices.py", 4)  # in one commit, so that git sees another patch
    people.commit(session.world.repository, "a.txt", 1)
    session.world.note_targets()

    session.merge(ALDER, "rebase", cleanup=True, dry_run=False)

    end(session, "COMPLETED")
