"""P18: workers by the dozen with an agent each, from spawn to landed, by `conductor-git run`: what of it is ours."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from benchmarks.pairs import Row
from benchmarks.repositories import git
from benchmarks.scene import scene
from conductor_git.layout import CONFIG_NAME
from tests import kit

_AGENT_SECONDS: Final = 3.0
"""Processor time of one agent: less than one by a real program takes, which runs a project's tests some times."""
_AT_ONCE: Final = 8
_SET_CHILD_SUBREAPER: Final = 36
"""prctl(2)."""


def crowd(workers: int) -> Iterator[Row]:
    """One run: it takes minutes, and the share of the processor does not move as a time does."""
    with scene(200) as here:
        ledger = here.repository.parent / "ledger"
        ledger.mkdir()
        plan = _planned(here.repository, ledger, workers)
        before = _reaped()
        code = _to_its_end([str(kit.console_script()), "run", str(plan), "--json"], here.repository)
        total = _reaped() - before
        agents = sum(float(file.read_text()) for file in ledger.iterdir())
        landed = [name for name in git(here.repository, "ls-tree", "--name-only", "main").split() if _is_task(name)]
        lost = workers - len(landed)
        yield Row(
            "P18",
            f"{workers} workers with an agent of {_AGENT_SECONDS:g} s of processor time each, spawn to landed",
            (total,),
            (total - agents,),
            goal=0.25,
            note=f"processor time; yardstick: all of it; ours: {(total - agents) / workers:.2f} s a worker",
            failure=f"{lost} not landed" if lost or code else "",
        )


def _planned(repository: Path, ledger: Path, workers: int) -> Path:
    command = [sys.executable, "-m", "benchmarks.scripted", str(_AGENT_SECONDS), str(ledger)]
    config = {
        "agents": {"scripted": {"command": command}},
        "gates": [{"name": "there", "run": "true"}],
        "limits": {"workers": _AT_ONCE},
    }
    (repository / CONFIG_NAME).write_text(yaml.safe_dump(config))
    git(repository, "add", CONFIG_NAME)
    git(repository, "commit", "--quiet", "-m", "Have an agent")
    subprocess.run([kit.console_script(), "config", "trust", "--yes"], cwd=repository, check=True, capture_output=True)
    plan = repository.parent / "crowd.yaml"
    tasks = {f"task-{number:03d}": {"prompt": "Measure"} for number in range(workers)}
    plan.write_text(yaml.safe_dump({"version": 1, "agent": "scripted", "approve": "gates", "tasks": tasks}))
    return plan


def _to_its_end(command: list[str], repository: Path) -> int:
    """Run it and wait for all that it started, as the system would: the last supervisors outlive it."""
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    code = subprocess.run(command, cwd=repository, env=environment, check=False, capture_output=True).returncode
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return code


def _reaped() -> float:
    """The processor seconds of every process that was waited for, by us or by those that we waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _is_task(name: str) -> bool:
    return name.startswith("task-") and name.endswith(".txt")
