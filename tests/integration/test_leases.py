"""Ports and a temporary directory: each worker has its own for as long as its worktree is there."""

from __future__ import annotations

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from conductor_git.context import Ports
from conductor_git.layout import Layout
from conductor_git.leases import lease, leased
from conductor_git.names import TaskId
from tests import kit
from tests.integration.furnished import configured, refused, spawned
from tests.integration.test_spawn import spawns
from tests.kit import tasks

BASE = 47000


def ports_of(repository: Path, task_id: str) -> Any:
    context = repository.parent / "acme.worktrees" / task_id / ".worker-ctx.json"
    return json.loads(context.read_text())["ports"]


def test_workers_that_are_spawned_at_once_share_no_port(repository: Path) -> None:
    configured(repository, f"ports: {{base: {BASE}, per_worker: 3}}\n")
    names = [f"task-{number}" for number in range(6)]

    assert [done.code for done in spawns(repository, names)] == [0] * len(names)

    found = sorted((ports_of(repository, name)["base"], ports_of(repository, name)["count"]) for name in names)
    assert [count for _, count in found] == [3] * len(names)
    assert all(after[0] - before[0] >= 3 for before, after in pairwise(found))


def test_leases_that_are_taken_at_once_are_all_kept(repository: Path, tmp_path: Path) -> None:
    layout, together = Layout(repository / ".git"), Barrier(12)

    def take(number: int) -> Ports | None:
        together.wait()
        return lease(layout, TaskId(f"task-{number}"), tmp_path, base=BASE, each=3)

    with ThreadPoolExecutor(12) as pool:
        taken = list(pool.map(take, range(12)))

    assert len({ports.base for ports in taken if ports}) == 12
    assert {held.ports for held in leased(layout).values()} == set(taken)


def test_ports_that_something_listens_on_are_passed_over(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        configured(repository, f"ports: {{base: {taken - 1}, per_worker: 2}}\n")

        spawned(repository)

        base = ports_of(repository, "prices")["base"]
        assert base >= taken + 1
        assert (base - taken + 1) % 2 == 0


def test_where_all_ports_are_taken_a_spawn_is_refused_and_leaves_nothing(repository: Path) -> None:
    configured(repository, "ports: {base: 65530, per_worker: 3}\n")
    spawned(repository, "one")
    spawned(repository, "two")
    before = (repository / ".git" / "conductor" / "ports.json").read_bytes()

    error = refused(repository, "PORTS_TAKEN")

    assert (error["base"], error["per_worker"]) == (65530, 3)
    assert not (repository.parent / "acme.worktrees" / "prices").exists()
    assert (repository / ".git" / "conductor" / "ports.json").read_bytes() == before


@pytest.mark.parametrize("damage", [None, "", "{", '{"leases": {"one": 1}}'])
def test_a_file_of_leases_that_is_lost_or_damaged_is_rebuilt_from_the_contexts(
    repository: Path, damage: str | None
) -> None:
    configured(repository, f"ports: {{base: {BASE}, per_worker: 2}}\n")
    spawned(repository, "one")
    leases = repository / ".git" / "conductor" / "ports.json"
    leases.unlink()
    if damage is not None:
        leases.write_text(damage)

    spawned(repository, "two")

    assert ports_of(repository, "two")["base"] != ports_of(repository, "one")["base"]
    assert sorted(json.loads(leases.read_text())["leases"]) == ["one", "two"]


def test_a_landing_gives_ports_and_temporary_directory_back(repository: Path) -> None:
    configured(repository, f"ports: {{base: {BASE}, per_worker: 2}}\n")
    tasks.approved(repository, "prices", {"src/new.py": "NEW = 1\n"})
    temporary = Layout(repository / ".git").temporary(TaskId("prices"))
    before = ports_of(repository, "prices")
    (temporary / "socket").touch()
    assert temporary.stat().st_mode & 0o777 == 0o700

    tasks.landed(tasks.merge(repository, "prices"))

    assert not temporary.exists()
    spawned(repository, "next")
    assert ports_of(repository, "next") == before


def test_a_worktree_that_was_deleted_by_hand_holds_no_port_for_good(repository: Path) -> None:
    configured(repository, "ports: {base: 65530, per_worker: 6}\n")
    place, _ = spawned(repository, "one")
    kit.git(repository, "worktree", "remove", "--force", str(place))

    spawned(repository, "two")

    assert ports_of(repository, "two") == {"base": 65530, "count": 6}


def test_the_agent_has_them_and_nothing_of_a_person_s_active_environment(repository: Path) -> None:
    """The main checkout's virtual environment is active where the agent is spawned from."""
    configured(repository, f"ports: {{base: {BASE}, per_worker: 4}}\n", ignored="*.txt\n.venv/\n")
    tasks.write(repository, {".venv/bin/pytest": "#!/bin/sh\necho main\n"})
    (repository / ".venv" / "bin" / "pytest").chmod(0o755)
    ask = "env > env.tmp && mv env.tmp env.txt"
    path = kit.git(repository, "--exec-path")
    env = {
        "VIRTUAL_ENV": str(repository / ".venv"),
        "PATH": f"{repository}/.venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": f"{repository}/src:{path}:{os.environ.get('PYTHONPATH', '')}",
    }

    done = kit.conductor("spawn", "prices", "--", "sh", "-c", ask, cwd=repository, env=env)

    assert done.code == 0, done.err
    place = repository.parent / "acme.worktrees" / "prices"
    kit.until((place / "env.txt").exists)
    has = dict(line.partition("=")[::2] for line in (place / "env.txt").read_text().splitlines())
    assert (has["CONDUCTOR_PORT_COUNT"], int(has["CONDUCTOR_PORT_BASE"])) == (
        "4",
        ports_of(repository, "prices")["base"],
    )
    assert has["TMPDIR"] == str(Layout(repository / ".git").temporary(TaskId("prices")))
    assert "VIRTUAL_ENV" not in has
    assert str(repository / ".venv") not in has["PATH"]
    assert has["PYTHONPATH"].split(":")[0] == path
