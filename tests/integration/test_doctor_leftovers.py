"""doctor on what a kill or a hand left of the machine's: ports, temporary directories, half a worktree for the pool."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from conductor_git import durable, leases
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.pool.entry import State
from tests import kit
from tests.integration import pooled
from tests.integration.ailing import codes, doctor, mended
from tests.kit import tasks

GONE = TaskId("gone")


@pytest.fixture
def layout(repository: Path) -> Layout:
    pooled.configured(repository, "pool: {size: 1}\nports: {per_worker: 2}\n")
    return Layout(repository / ".git")


def test_ports_and_a_temporary_directory_of_no_task_are_freed_and_those_of_a_task_stay(
    repository: Path, layout: Layout
) -> None:
    tasks.spawn(repository, "prices")
    mine = leases.temporary(layout, TaskId("prices"))
    assert leases.lease(layout, GONE, repository.parent / "gone", base=33000, each=2) is not None
    (leases.temporary(layout, GONE) / "scratch").write_text("1\n")

    done = mended(repository, "LEASE_LEFT")

    assert done["mended"][0]["subject"] == GONE
    assert [*leases.leased(layout)] == ["prices"]
    assert (mine.is_dir(), layout.temporary(GONE).exists()) == (True, False)


def test_what_a_spawn_that_is_under_way_has_is_left_to_it(repository: Path, layout: Layout) -> None:
    tasks.spawn(repository, "prices")
    leases.temporary(layout, GONE)
    with durable.lock(layout.task_lock(GONE), purpose="spawn"):
        assert doctor(repository, "--fix") == {"schema": 1, "healthy": True, "findings": [], "mended": []}
    leases.temporary(layout, TaskId("prices"))
    shutil.rmtree(repository.parent / "acme.worktrees" / "prices")

    done = doctor(repository, "--fix")

    assert sorted(one["code"] for one in done["mended"]) == ["LEASE_LEFT", "WORKTREE_GONE"]
    assert [*leases.leased(layout)] == ["prices"]
    assert layout.temporary(TaskId("prices")).is_dir()


@pytest.mark.parametrize("state", [State.MAKING, State.TAKEN])
def test_a_worktree_for_the_pool_that_was_left_half_way_is_cleared_away(
    repository: Path, layout: Layout, state: State
) -> None:
    (entry,) = pooled.refilled(repository)
    record = layout.pool / f"{entry.name}.ready"
    assert doctor(repository)["findings"] == []
    record.rename(record.with_suffix(f".{state}"))
    with durable.lock(layout.pool_lock, purpose="fill"):
        assert doctor(repository)["findings"] == []

    mended(repository, "POOL_LEFT")

    assert pooled.leftovers(repository) == []
    assert not Path(entry.path).exists()


def test_a_worktree_of_the_pool_that_no_record_has_is_a_note(repository: Path, layout: Layout) -> None:
    (entry,) = pooled.refilled(repository)
    (layout.pool / f"{entry.name}.ready").unlink()
    shutil.rmtree(entry.git_dir)

    found = doctor(repository)

    assert (found["healthy"], codes(found)) == (True, ["ORPHAN_FOLDER"])
    assert found["findings"][0]["subject"] == entry.path


def test_what_is_ours_in_the_state_directory_is_no_finding(repository: Path, layout: Layout) -> None:
    kit.conductor("hooks", "install", "--agents", cwd=repository)
    tasks.spawn(repository, "prices")
    assert (layout.common_dir / "worktrees" / "prices" / "conductor-agent-hooks.json").is_file()
    layout.reminded(TaskId("prices")).write_text("session\n")
    for place in (layout.submodules(GONE) / "20260101T000000000000Z", layout.archived_tasks, layout.archived_bus):
        place.mkdir(parents=True)
        (place / "kept").write_text("1\n")
    assert layout.agent_hooks.exists()

    assert doctor(repository)["findings"] == []
