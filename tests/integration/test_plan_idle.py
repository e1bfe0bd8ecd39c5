"""An idle plan: its runner sleeps, looks now and then, starts nothing and writes nothing. The time is the test's."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from conductor_git.actor import COORDINATOR, Actor
from conductor_git.names import TaskId
from conductor_git.process import identify
from conductor_git.project import open_project
from conductor_git.run import Doing, Supervision
from conductor_git.settings import project_config
from conductor_git.workflow.planning.drive import SLOWEST_LOOK, Audience, Runner
from conductor_git.workflow.planning.perform import Hands
from conductor_git.workflow.planning.standing import Standing
from tests.integration import plans
from tests.integration.traces import traces
from tests.kit import tasks

HOUR = 3600.0


@dataclass
class Sleeper:
    """Nothing ever happens: a wait takes all its time, by the test's clock; after an hour somebody comes."""

    repository: Path
    now: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)
    slept: list[float] = field(default_factory=list)
    runner: Runner | None = None
    writings: dict[str, int] = field(default_factory=dict)
    """The state directory as it was when the first wait began: the runner had taken its lock."""

    def cursor(self) -> str | None:
        return None

    def wait(self, since: str | None, seconds: float) -> None:
        assert since is None
        if not self.slept and self.runner is not None:
            self.writings = writings(self.repository)
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        if sum(self.slept) >= HOUR and self.runner is not None:
            self.runner.interrupt()

    def wake(self) -> None:
        """Nobody sleeps when somebody comes."""


def idle_hour(repository: Path, path: Path) -> tuple[Sleeper, list[str]]:
    """What the runner of a plan does in an hour in which nothing happens, and what it says."""
    project = open_project(repository)
    sleeper, told = Sleeper(repository), list[str]()
    planned = plans.planned(repository, path)
    hands = Hands(project, planned, project_config(project), COORDINATOR, Actor("plan:plan"), lambda: sleeper.now)

    def hear(task_id: TaskId, standing: Standing, run: object) -> None:
        told.append(f"{task_id} {standing.stands}" if run else f"{task_id} {standing.stands} without a record")

    sleeper.runner = Runner(hands, sleeper, Audience(stands=hear))
    sleeper.runner.run(wait=True)
    return sleeper, told


def test_an_hour_of_waiting_for_people_and_agents_starts_nothing_and_writes_nothing(repository: Path) -> None:
    plans.prepared(repository)
    place = tasks.spawn(repository, "one", plan="plan")
    tasks.commit(place, {"one.txt": "1\n"})
    tasks.hand_in(repository, "one")
    tasks.spawn(repository, "two", plan="plan")
    pretend_supervised(repository, "two")
    text = "agent: fast\ntasks: {one: {prompt: x}, two: {prompt: x}, three: {prompt: z, needs: one}}"
    path = plans.written(repository, text)
    before, started = traces(repository), children()

    sleeper, told = idle_hour(repository, path)

    assert traces(repository) == before
    assert sleeper.writings == writings(repository)
    assert children() == started
    assert told == ["one waiting", "two at work", "three held without a record"]
    assert sum(sleeper.slept) >= HOUR
    assert sleeper.slept[-1] == SLOWEST_LOOK
    assert len(sleeper.slept) < HOUR / SLOWEST_LOOK + 10


def writings(repository: Path) -> dict[str, int]:
    """Every file of the state directory, with the time at which it was last written; locks too."""
    top = repository / ".git" / "conductor"
    return {str(path.relative_to(top)): path.stat().st_mtime_ns for path in top.rglob("*") if path.is_file()}


def children() -> set[int]:
    """What we have started and what that has, ended or not."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def pretend_supervised(repository: Path, task_id: str) -> None:
    """The test's own process is on record as the task's supervisor, and it lives."""
    ourselves = identify(os.getpid())
    assert ourselves is not None
    supervision = Supervision(ourselves, Doing.ATTEMPT, datetime(2026, 11, 20, 12, tzinfo=UTC))
    open_project(repository).runs.update(TaskId(task_id), lambda run: replace(run, supervision=supervision))
