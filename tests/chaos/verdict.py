"""What has to be true when the chaos is over, whatever happened in it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from conductor_git.journal import pending
from conductor_git.run import Run, State
from tests import kit
from tests.chaos.world import World

_WITH_REASON: Final = ("waiting", "held", "not started", "failed")


def every_task_is_settled(world: World, document: dict[str, Any]) -> None:
    """Final, or waiting for a person or for another task, and then it is told why."""
    records = world.records
    assert [task["task_id"] for task in document["tasks"]] == list(world.needs)
    for task in document["tasks"]:
        run = records.get(task["task_id"])
        assert task["state"] == (str(run.state) if run else None)
        assert task["stands"] in ("landed", *_WITH_REASON), task
        assert task["why"] or task["stands"] == "landed", task
        is_final = run is not None and run.state.is_final
        assert is_final == (task["stands"] in ("landed", "failed")), task
    assert pending(world.project.layout) == ()


def the_target_holds_exactly_what_landed(world: World) -> None:
    """One commit for each landed task, on the one before it, with what was approved; and nothing else."""
    git, records = world.repository, world.records
    landed = {task: run for task, run in records.items() if run.state is State.COMPLETED}
    line = kit.git(git, "rev-list", "--first-parent", "--reverse", f"{world.base}..main").split()
    assert sorted(line) == sorted(str(run.merge_commit) for run in landed.values())
    before = world.base
    for commit in line:
        run = next(run for run in landed.values() if run.merge_commit == commit)
        parents = kit.git(git, "rev-parse", f"{commit}^@").split()
        assert parents == [before, run.approved_commit], run.task_id
        assert run.approved_commit == run.head_commit
        before = commit
    markers = kit.git(git, "ls-tree", "-r", "--name-only", "main", "done/", "red-t*").split()
    assert markers == sorted(f"done/{task}" for task in landed)
    for task, needs in world.needs.items():
        if task in records:
            assert set(needs) <= landed.keys(), task
            assert all(is_ancestor(world, landed[need].merge_commit, records[task].base_commit) for need in needs)


def is_ancestor(world: World, one: object, other: object) -> bool:
    return kit.git(world.repository, "merge-base", str(one), str(other)) == str(one)


def no_commit_is_lost(world: World) -> None:
    """Whatever an agent committed is on a branch, on the target or in a salvage ref; and git finds nothing broken."""
    reachable = set(kit.git(world.repository, "rev-list", "--all").split())
    made = {(task, line["id"]) for task, line in world.told("commit")}
    assert {(task, commit) for task, commit in made if commit not in reachable} == set()
    assert kit.git(world.repository, "fsck", "--strict", "--no-dangling", "--no-progress") == ""


def no_process_is_left(world: World) -> None:
    """Once no supervisor is there any more, nobody would end anything else."""
    kit.until(lambda: not world.supervisors(), seconds=120)
    assert [(process.pid, process.cmdline()) for process in world.processes()] == []


def no_worktree_is_left(world: World) -> None:
    """git's list is that of the records: the worktrees of the tasks that have not landed, and none else."""
    listed = kit.git(world.repository, "worktree", "list", "--porcelain", "-z").split("\0")
    there = {Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")}
    wanted = {Path(run.worktree) for run in world.records.values() if run.state is not State.COMPLETED}
    assert there - {world.repository} == wanted
    top = world.repository.with_name(f"{world.repository.name}.worktrees")
    assert set(top.iterdir() if top.exists() else ()) == wanted


def the_checkout_was_only_moved_on(world: World) -> None:
    """It is at the target, and what the person had not committed is there as it was, byte for byte."""
    before, now = world.checkout, kit.snapshot(world.repository)
    assert now.tip == kit.git(world.repository, "rev-parse", "main")
    assert (now.head, now.under_way, now.stashes) == (before.head, before.under_way, before.stashes)
    changed = kit.git(world.repository, "diff", "--name-only", "-z", world.base, "main").split("\0")
    assert {name: entry for name, entry in now.entries.items() if not _is_of(name, changed)} == {
        name: entry for name, entry in before.entries.items() if not _is_of(name, changed)
    }
    status = kit.git(world.repository, "status", "--porcelain")
    assert status.splitlines() == [" M README.md", '?? "my notes.txt"']


def _is_of(name: str, changed: list[str]) -> bool:
    return any(path == name or path.startswith(f"{name}/") for path in changed)


def the_bus_tells_what_is_on_record(world: World) -> None:
    """It is whole; the steps of every task are told once each, in order; and nobody was said to have escaped."""
    verified = kit.conductor("bus", "verify", "--json", cwd=world.repository)
    assert verified.code == 0, verified
    told: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for message in world.project.bus.read():
        assert message.meta.get("warning") != "ESCAPE", message.body
        if message.type == "STATE":
            told[str(message.task_id)].append(tuple(message.meta[key] for key in ("step", "event", "to", "by")))
    assert dict(told) == {task: _steps(run) for task, run in world.records.items()}


def _steps(run: Run) -> list[tuple[str, ...]]:
    return [(str(number), step.event, step.state, step.by) for number, step in enumerate(run.history, 1)]


def no_two_attempts_met(world: World) -> None:
    """Nothing of an attempt was alive when the next one of its task began, and each has a recorded end."""
    assert list(world.told("overlap")) == []
    started = {(task, line["run"]) for task, line in world.told("start")}
    on_record = {(task, str(one.run_id)) for task, run in world.records.items() for one in run.attempts}
    assert started <= on_record
    open_ones = {
        (task, str(run.state), one.run_id)
        for task, run in world.records.items()
        for one in run.attempts
        if one.ended_at is None
    }
    assert open_ones == set()


def frozen(world: World) -> str:
    """What a runner that starts something would change: the records, the bus, the refs, the ledger."""
    bus = [message.msg_id for message in world.project.bus.read()]
    refs = kit.git(world.repository, "for-each-ref")
    ledger = {file.name: file.read_text() for file in world.ledger.iterdir()}
    return json.dumps([repr(sorted(world.records.items())), bus, refs, ledger], indent=1)
