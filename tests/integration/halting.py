"""The supervisor as a program that halts at a moment of the test's choice until it is told to end, and then goes on.

`python -m tests.integration.halting COMMON_DIR REPOSITORY TASK MOMENT FILE`; FILE is there once it has halted. So a
test can have `stop` come exactly then. Moments: `begin` (what it does is on record, and nothing else), `entered` (the
attempt is on record, its agent not launched yet).
"""

from __future__ import annotations

import sys
import threading
from datetime import datetime
from pathlib import Path

from conductor_git.names import parse_task_id
from conductor_git.project import Project, project_at
from conductor_git.run import Run
from conductor_git.runner.supervising.supervise import supervise
from conductor_git.runner.supervising.world import RealWorld


class Halting(RealWorld):
    """The real world, in which time stands still at `MOMENT`."""

    def __init__(self, project: Project, task: str, moment: str, file: Path) -> None:
        super().__init__()
        self._project, self._task_id = project, parse_task_id(task)
        self._moment, self._file = moment, file

    def now(self) -> datetime:
        if self._moment == "begin" and self._project.runs.get(self._task_id).supervision is not None:
            self.halt("begin")
        return super().now()

    def halt(self, moment: str) -> None:
        if moment == self._moment and not self._file.exists():
            self._file.touch()
            while not self.is_told_to_end:
                threading.Event().wait(0.01)

    def prompt(self, _: Project, __: Run, ___: bool) -> bytes:
        self.halt("entered")
        return b"Mind the prices.\n"


def main(common_dir: str, repository: str, task: str, moment: str, file: str) -> None:
    project = project_at(Path(common_dir), Path(repository))
    world = Halting(project, task, moment, Path(file))
    supervise(project, parse_task_id(task), world.prompt, world)


if __name__ == "__main__":
    main(*sys.argv[1:])
