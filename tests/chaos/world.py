"""The world of the chaos: a repository with a person's work in it, a plan of many tasks, and a ledger of its agents."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from conductor_git.project import Project, open_project
from conductor_git.run import Run
from tests import kit
from tests.kit import tasks

MARK: Final = "CHAOS"
"""In the environment of every runner and of what that starts: the repository."""
_AGENT: Final = Path(__file__).with_name("agent.py")
_CONFIG: Final = """\
version: 1
reviews_required: 1
limits: {{workers: {workers}, attempts: 4, attempt_time: {attempt_time}s, backoff: 0.2s, after_done: 1s}}
gates: [{{name: not-red, run: "! ls red-* 2>&1"}}]
agents:
  wild: {{command: {command}}}
"""
NOTES: Final = "my notes.txt"
_OWN_WORK: Final = {"README.md": "# Acme\n\nA shop, which I am describing.\n", NOTES: "buy plums\n"}
"""What the person has not committed in the main checkout, where the target is checked out."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many tasks, how many at once, how long an attempt may take, and how many kills there are."""

    tasks: int
    workers: int
    attempt_time: int
    kills: int


class World:
    """What is there when the chaos begins, and how to look at it."""

    def __init__(self, repository: Path, seed: str, size: Size) -> None:
        self.repository, self.seed, self.size = repository, seed, size
        self.ledger = repository.parent / "ledger"
        self.ledger.mkdir()
        self.plan = repository.parent / "chaos.yaml"
        self.needs = _drawn(seed, size.tasks)
        command = [sys.executable, "-S", str(_AGENT), seed, str(self.ledger)]
        config = _CONFIG.format(workers=size.workers, attempt_time=size.attempt_time, command=json.dumps(command))
        tasks.commit(repository, {".conductor.yaml": config}, "Wild agents")
        assert kit.conductor("config", "trust", "--yes", cwd=repository).code == 0
        self.plan.write_text(self._plan())
        tasks.write(repository, _OWN_WORK)
        self.base = kit.git(repository, "rev-parse", "main")
        self.checkout = kit.snapshot(repository)

    @property
    def project(self) -> Project:
        return open_project(self.repository)

    @property
    def records(self) -> dict[str, Run]:
        """Task → its record, of every task that has one."""
        runs = self.project.runs
        return {task_id: runs.get(task_id) for task_id in runs.task_ids()}

    def told(self, what: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Task and facts of every line of the ledger of this kind."""
        for file in sorted(self.ledger.glob("*.jsonl")):
            lines = map(json.loads, file.read_text().splitlines())
            yield from ((file.stem, line) for line in lines if line["what"] == what)

    def processes(self) -> list[psutil.Process]:
        """Everything that a runner of ours has started and that lives: it carries our mark, or is in a worktree."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def supervisors(self) -> list[psutil.Process]:
        return [process for process in self.processes() if "conductor_git.workflow.attend" in _command(process)]

    def processes_of(self, task: str) -> list[psutil.Process]:
        """Everything that the attempts of this task have started and that lives."""
        return [process for process in self.processes() if environ(process).get("CONDUCTOR_TASK_ID") == task]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return environ(process).get(MARK) == str(self.repository) or process.cwd().startswith(
                f"{self.repository}.worktrees"
            )
        except (psutil.Error, OSError):
            return False  # it has ended, or is nobody's that we could have started

    def _plan(self) -> str:
        told = [
            f"  {task}: {{prompt: do it, needs: [{', '.join(needs)}], priority: {len(needs)}}}\n"
            for task, needs in self.needs.items()
        ]
        return f"version: 1\nagent: wild\napprove: gates\nworkers: {self.size.workers}\ntasks:\n{''.join(told)}"


def environ(process: psutil.Process) -> dict[str, str]:
    """Empty where it has ended."""
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _drawn(seed: str, count: int) -> dict[str, list[str]]:
    """A random graph without a cycle: task → what it needs, each of those an earlier one."""
    chance = random.Random(f"{seed} graph")
    names = [f"t{number:02}" for number in range(count)]
    needed = [chance.sample(names[:place], min(place, chance.choice((0, 0, 1, 1, 2)))) for place in range(count)]
    return dict(zip(names, map(sorted, needed), strict=True))
