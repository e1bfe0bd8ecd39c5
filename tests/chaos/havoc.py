"""The plan run again and again while its runner and its supervisors are killed, until it says that it is over."""

from __future__ import annotations

import json
import os
import random
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from tests import kit
from tests.chaos.world import MARK, World

_KINDS: Final = ("runner", "supervisor", "both", "task")
"""What is killed: the plan's runner, a supervisor, these two, or a supervisor with everything that is of its task."""
_HANG_SECONDS: Final = 900
_OVER: Final = (0, 1, 19)
"""What `run` ends with when nothing happens any more by itself."""


@dataclass
class Havoc:
    """One chaos: what it did is in `kills` and `rounds`, by kind and number."""

    world: World
    rounds: int = 0
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.world.seed} kills")

    def rage(self) -> dict[str, Any]:
        """Run the plan until it is over; returns its document. Each round ends so, or with a kill of ours."""
        while (document := self._round()) is None:
            continue
        return document

    def run_in_peace(self) -> dict[str, Any]:
        """Run the plan without disturbing it."""
        self.rounds += 1
        return self._ended(self._started())

    def end_all(self) -> None:
        """Leave nothing running, whatever became of the test."""
        while left := self.world.processes():
            for process in left:
                with suppress(psutil.Error):
                    process.kill()

    def _round(self) -> dict[str, Any] | None:
        self.rounds += 1
        runner = self._started()
        while sum(self.kills.values()) < self.world.size.kills:
            try:
                runner.wait(self._chance.uniform(0.1, 2.5))
                break
            except subprocess.TimeoutExpired:
                if not self._strike(runner):
                    return None
        return self._ended(runner)

    def _strike(self, runner: subprocess.Popen[bytes]) -> bool:
        """Kill something; whether the runner lives."""
        what = self._chance.choice(_KINDS)
        supervisors = sorted(self.world.supervisors(), key=lambda process: process.pid)
        if what != "runner" and not supervisors:
            return True
        self.kills[what] += 1
        if what != "runner":
            self._strike_down(self._chance.choice(supervisors), with_its_task=what == "task")
        if what in ("supervisor", "task"):
            return True
        runner.kill()
        runner.wait()
        return False

    def _strike_down(self, supervisor: psutil.Process, *, with_its_task: bool) -> None:
        with suppress(psutil.NoSuchProcess):
            task = supervisor.cmdline()[-1]
            victims = [supervisor, *(self.world.processes_of(task) if with_its_task else ())]
            for victim in victims:
                with suppress(psutil.NoSuchProcess):
                    victim.kill()

    def _started(self) -> subprocess.Popen[bytes]:
        place = self.world.repository.parent
        command = [str(kit.console_script()), "run", str(self.world.plan), "--json"]
        with (
            (place / f"round-{self.rounds}.json").open("wb") as out,
            (place / f"round-{self.rounds}.log").open("wb") as err,
        ):
            return subprocess.Popen(
                command,
                cwd=self.world.repository,
                env=os.environ | {MARK: str(self.world.repository)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def _ended(self, runner: subprocess.Popen[bytes]) -> dict[str, Any]:
        code = runner.wait(_HANG_SECONDS)
        place = self.world.repository.parent
        said = (place / f"round-{self.rounds}.log").read_text()
        assert code in _OVER, f"round {self.rounds} ended with {code}:\n{said}"
        document: dict[str, Any] = json.loads((place / f"round-{self.rounds}.json").read_text())
        assert "tasks" in document, f"round {self.rounds}: {document}\n{said}"
        return document
