"""Many that land at once: whole queues, single tasks and undoings, on one target, none lost and none done twice."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests import kit
from tests.integration import queued
from tests.kit import tasks

MANY = 20


def at_once(repository: Path, commands: Sequence[Sequence[str]]) -> list[kit.Completed]:
    """Start conductor-git with each of `commands`, and only then wait for the first of them."""
    pipe, script = subprocess.PIPE, str(kit.console_script())
    running = [
        subprocess.Popen([script, *command], cwd=repository, stdout=pipe, stderr=pipe, text=True)
        for command in commands
    ]
    ended = [(process, *process.communicate()) for process in running]
    return [kit.Completed(process.returncode, out, err) for process, out, err in ended]


def file_of(name: str) -> str:
    return f"src/{name}.py"


def approve(repository: Path, names: Sequence[str]) -> None:
    for name in names:
        tasks.approved(repository, name, {file_of(name): f"NAME = {name!r}\n"})


def require_whole(repository: Path, landed: Sequence[str], gone: Sequence[str] = ()) -> None:
    queued.require_told_once(repository, landed)
    queued.require_quiet(repository)
    assert all((repository / file_of(name)).is_file() for name in landed)
    assert not any((repository / file_of(name)).exists() for name in gone)
    assert kit.git(repository, "status", "--porcelain") == ""
    assert list((repository.parent / "acme.worktrees").glob("*")) == []


def test_twenty_parallel_merges_of_the_queue_land_twenty_tasks_once_each_in_the_order_of_their_approval(
    repository: Path,
) -> None:
    names = queued.names(MANY)
    approve(repository, [*reversed(names)])

    done = at_once(repository, [("merge", "--json")] * MANY)

    assert [one.code for one in done] == [0] * MANY, done
    landed = [name for one in done for name, outcome in queued.outcomes(one).items() if outcome == "LANDED"]
    assert sorted(landed) == names
    assert queued.on_target(repository) == [*reversed(names)]
    require_whole(repository, names)


def test_queues_and_single_merges_at_once_land_every_task_once(repository: Path) -> None:
    names = queued.names(12)
    approve(repository, names)

    done = at_once(repository, [("merge", "--json")] * 4 + [("merge", name, "--json") for name in names[4:]])

    assert [one.code for one in done] == [0] * 12, done
    assert sorted(queued.on_target(repository)) == names
    require_whole(repository, names)


def test_undoings_among_them_take_back_what_had_landed_and_nothing_else(repository: Path) -> None:
    names = queued.names(12)
    first, second = names[:4], names[4:]
    approve(repository, first)
    for name in first:
        tasks.landed(tasks.merge(repository, name))
    base = kit.git(repository, "rev-parse", "main")
    approve(repository, second)

    singles = [("merge", name, "--json") for name in second[2:]]
    undoings = [("undo", name, "--json") for name in first]
    done = at_once(repository, [*singles, *undoings, ("merge", "--json"), ("merge", "--json")])

    assert [one.code for one in done] == [0] * len(done), done
    assert sorted(queued.on_target(repository, base)) == sorted([*second, *(f"-{name}" for name in first)])
    require_whole(repository, second, gone=first)
    for name in first:
        assert tasks.record(repository, name).state == "CANCELLED"
        assert len(tasks.told(repository, "UNDONE", name)) == 1


def test_an_undo_of_what_is_just_landing_waits_for_it_or_finds_nothing_landed(repository: Path) -> None:
    approve(repository, ["ash"])

    merged, undone = at_once(repository, [("merge", "ash", "--json"), ("undo", "ash", "--json")])

    assert merged.code == 0, merged
    run = tasks.record(repository, "ash")
    assert (undone.code, run.state) in ((0, "CANCELLED"), (12, "COMPLETED")), undone
    assert queued.on_target(repository) == (["ash", "-ash"] if undone.code == 0 else ["ash"])
    queued.require_quiet(repository)
