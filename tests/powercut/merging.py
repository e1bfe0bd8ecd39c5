"""Lands tasks: `python -m tests.powercut.merging NAME REPOSITORY ROLE TASK…`.

The role `merge` lands its tasks one after the other, `queue` whatever is approved, `undo` takes its tasks back, and
`post` posts to the bus, as everybody does who has nothing else left to do: each flush of the bus brings to the disk
what a landing beside it has done to names and sizes up to then, and leaves behind the data that belongs to them.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git.actor import COORDINATOR
from conductor_git.errors import StateUnwritable
from conductor_git.message import Message
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project, open_project
from conductor_git.run import Strategy, utcnow
from conductor_git.workflow.land import land
from conductor_git.workflow.landing.wish import Landed, Listener, Refused, Wish
from conductor_git.workflow.queue import process
from conductor_git.workflow.undo import undo
from tests.powercut.chance import Chance
from tests.powercut.worker import acknowledge, work

LANDED, UNDONE, POSTED = "landed", "undone", "posted"
MERGE, QUEUE, UNDO, POST = "merge", "queue", "undo", "post"
_WAIT_SECONDS: Final = 60


@dataclass(slots=True)
class Worker:
    """One process with its project; each step is a command that a person would give."""

    name: str
    project: Project
    left: list[TaskId]

    def merge(self, number: int) -> None:
        if self.left:
            task_id = self.left.pop(0)
            self._tell(land(self.project, task_id, by=COORDINATOR, at=utcnow, wish=self._wish(task_id)))
        else:
            self.post(number)

    def queue(self, number: int) -> None:
        if number:
            self.post(number)
        else:
            told = Listener(result=self._tell)
            process(self.project, by=COORDINATOR, at=utcnow, wish=self._wish(self.name), listener=told)

    def undo(self, number: int) -> None:
        if self.left:
            task_id = self.left.pop(0)
            done = undo(self.project, task_id, by=COORDINATOR, at=utcnow, wish=self._wish(task_id))
            acknowledge(self.name, UNDONE, task_id, done.commit)
        else:
            self.post(number)

    def post(self, number: int) -> None:
        words = Message("FACT", f"{self.name} {number}", project_id=self.project.project_id)
        acknowledge(self.name, POSTED, self.project.bus.append(words))

    def _wish(self, what: str) -> Wish:
        return Wish(Chance("strategy", what).choice(list(Strategy)), wait_seconds=_WAIT_SECONDS, trust=True)

    def _tell(self, result: Landed | Refused) -> None:
        if isinstance(result, Landed):
            acknowledge(self.name, LANDED, result.run.task_id, result.run.merge_commit)


@contextmanager
def losing_power() -> Iterator[None]:
    """A call that failed on its way out, where it frees what it holds, has failed as it should all the same."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        raise StateUnwritable("the power was cut", hint="") from error


def main() -> None:
    name, repository, role, *tasks = sys.argv[1:]
    worker = Worker(name, open_project(Path(repository)), list(map(parse_task_id, tasks)))
    steps: dict[str, Callable[[int], None]] = {
        MERGE: worker.merge,
        QUEUE: worker.queue,
        UNDO: worker.undo,
        POST: worker.post,
    }

    def step(number: int) -> None:
        with losing_power():
            steps[role](number)

    work(name, step)


if __name__ == "__main__":
    main()
