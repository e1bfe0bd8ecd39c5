"""Everybody at once: whatever people ask of a project at the same time, each is answered and the project is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import kit
from tests.kit import tasks
from tests.kit.server import serving
from tests.soak.office import CONFIG, Office

SECONDS = float(os.environ.get("CONDUCTOR_SOAK_SECONDS", "600"))
"""How long it takes; read here, since no test sees such a variable."""
SEED = int(os.environ.get("CONDUCTOR_SOAK_SEED", "1"))


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("backend", ["file", "sqlite"])
def test_people_who_all_work_at_once_get_answers_and_leave_a_project_that_is_whole(
    repository: Path, backend: str
) -> None:
    config = CONFIG.replace("bus: {", f"bus: {{backend: {backend}, ")
    tasks.commit(repository, {".conductor.yaml": config, ".gitignore": "packages/\n"})
    assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
    office = Office(repository, SEED)
    with serving(repository) as server:
        office.open(people=8, seconds=SECONDS / 2, server=server)
    for row in kit.conductor("status", "--all", "--json", cwd=repository).document["tasks"]:
        kit.conductor("stop", row["task_id"], cwd=repository)

    assert office.wrong == []
    assert office.landed
    history = kit.git(repository, "rev-list", "main").split()
    assert set(office.landed) <= set(history)
    assert kit.git(repository, "status", "--porcelain") == ""
    for look in (["doctor"], ["bus", "verify"], ["gc"], ["status", "--all"]):
        looked = kit.conductor(*look, cwd=repository)
        assert looked.code == 0, looked
    kit.git(repository, "fsck", "--connectivity-only")
