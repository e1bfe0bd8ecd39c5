"""A supervisor in the test's own process, with a World of the test's own, and agents that are tiny real programs."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from conductor_git.actor import COORDINATOR
from conductor_git.message import Message
from conductor_git.names import parse_task_id
from conductor_git.project import Project, open_project
from conductor_git.run import Attempt, Run, utcnow
from conductor_git.runner.child import Child
from conductor_git.runner.supervising.attempt import Prompting
from conductor_git.runner.supervising.supervise import supervise
from conductor_git.settings import project_config
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow.spawning import order as ordering
from tests.kit import tasks

PRICES = parse_task_id("prices")
DONE = "echo $$ > new.txt; git add new.txt; git commit -qm new; conductor-git done"
_LOOK = 0.02


@dataclass
class OwnWorld:
    """Time that goes on by itself while an agent lives, and at once where nothing is waited for but time.

    `ahead` is added to both clocks, `slept` to the time of day alone. `look` is called at each wait for an agent.
    """

    look: Callable[[], None] = lambda: None
    ahead: float = 0.0
    slept: float = 0.0
    is_told_to_end: bool = False
    pauses: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return utcnow() + timedelta(seconds=self.ahead + self.slept)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def wait(self, seconds: float, child: Child | None = None) -> None:
        if child is None:
            self.pauses.append(seconds)
            self.ahead += max(0.0, seconds)
            return
        self.look()
        handle = child.fileno()
        select.select([] if handle is None else [handle], [], [], min(_LOOK, max(0.0, seconds)))


def prepared(repository: Path, *command: str, agent: str | None = None, fallbacks: tuple[str, ...] = ()) -> Project:
    """The task `prices` with this agent, which nobody has launched yet."""
    project = open_project(repository)
    order = ordering.Order(PRICES, prompt="Mind the prices.", command=command, agent=agent, fallbacks=fallbacks)
    plan = ordering.plan(project, order, project_config(project))
    spawning.spawn(project, plan, by=COORDINATOR, at=utcnow(), start_agent=False)
    return project


def plain_prompt(_: Project, run: Run, __: bool) -> bytes:
    return f"{run.title}\n".encode()


def supervised(
    project: Project, world: OwnWorld | None = None, *, prompting: Prompting = plain_prompt, **limits: str
) -> Run:
    """The task once its supervisor has ended; `limits` as in the config."""
    return _supervised(project, world or OwnWorld(), prompting, limits)


def _supervised(project: Project, world: OwnWorld, prompting: Prompting, limits: Mapping[str, str]) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setenv(f"CONDUCTOR_LIMITS_{name.upper()}", value)
        supervise(project, PRICES, prompting, world)
    return project.runs.get(PRICES)


def by_shell(repository: Path, script: str, world: OwnWorld | None = None, **limits: str) -> Run:
    """The task after its supervisor had a shell script for an agent."""
    return _supervised(prepared(repository, "sh", "-c", script), world or OwnWorld(), plain_prompt, limits)


def folder(repository: Path, attempt: Attempt) -> Path:
    return open_project(repository).layout.attempt(PRICES, attempt.run_id)


def said(repository: Path, *types: str) -> list[Message]:
    """The task's messages of these types, oldest first."""
    return list(open_project(repository).bus.tail(1000, types=types, task_id=PRICES))


def settled(repository: Path) -> Run:
    """The record of a task that nobody supervises and of which nothing runs."""
    run = tasks.record(repository, PRICES)
    assert run.supervision is None
    assert all(attempt.ended_at is not None for attempt in run.attempts)
    assert processes_of(run) == []
    return run


def processes_of(run: Run) -> list[int]:
    """Every process of the system that carries the run id of one of the attempts in its environment."""
    marks = {f"CONDUCTOR_RUN_ID={attempt.run_id}".encode() for attempt in run.attempts}
    return [pid for pid in psutil.pids() if marks & _environment(pid)]


def _environment(pid: int) -> set[bytes]:
    try:
        return set(Path("/proc", str(pid), "environ").read_bytes().split(b"\0"))
    except OSError:
        return set()
