"""`queue.auto`: while a server runs, what is approved lands by itself, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NamedTuple

from conductor_git.actor import Actor
from conductor_git.errors import ConductorError
from conductor_git.landing.order import Queue
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project, project_at
from conductor_git.run import Run
from conductor_git.settings import project_config
from conductor_git.workflow.landing.wish import Landed, Listener, Result
from conductor_git.workflow.planning.waiting import BusWaiter
from conductor_git.workflow.queue import process, queues

QUEUE: Final = Actor("queue")
"""Who the history says has landed it."""
LOOK_SECONDS: Final = 60.0
"""So often we look unasked: a config that was changed, and files that were in the way, send no message."""


class _Tried(NamedTuple):
    """What was refused; as long as that stands, only a look that nobody asked for tries it again."""

    commit: CommitId | None
    priority: int


class Lander:
    """Sleeps on the bus and lands the queues whenever something in them is new; `log` takes what it has to say."""

    def __init__(
        self,
        project: Project,
        clock: Callable[[], datetime],
        log: Callable[[str], None],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        # A project of its own: what the other threads do with their bus is nothing to this one.
        self._project = project_at(project.layout.common_dir, project.repository)
        self._clock, self._log, self._look_seconds = clock, log, look_seconds
        self._waiter = BusWaiter(self._project.bus)
        self._tried: dict[TaskId, _Tried] = {}
        self._said: dict[str, str] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lander")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Land within the block; leaving it waits for the landing that is under way."""
        self._thread.start()
        try:
            yield
        finally:
            self.stop()
            self._thread.join()

    def stop(self) -> None:
        """Begin no other landing; waits for nothing, and may be called from any thread."""
        self._ending.set()
        self._waiter.wake()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                heard = self._round()
            except (ConductorError, OSError) as failed:
                self._say("", f"nothing lands by itself: {failed}")
                heard = self._ending.wait(self._look_seconds)
            if not heard:
                self._tried.clear()

    def _round(self) -> bool:
        """Land what is new, then sleep; False where only the time has passed."""
        cursor = self._waiter.cursor()
        if project_config(self._project).queue.auto:
            for target, queue in queues(self._project).items():
                self._land(target, queue)
        if not self._ending.is_set():
            self._waiter.wait(cursor, self._look_seconds)
        return self._waiter.cursor() != cursor

    def _land(self, target: str, queue: Queue) -> None:
        if self._ending.is_set() or all(self._tried.get(run.task_id) == _of(run) for run in queue.ready):
            return
        self._tried |= {run.task_id: _of(run) for run in queue.ready}
        try:
            process(self._project, by=QUEUE, at=self._clock, target=target, listener=Listener(result=self._told))
        except ConductorError as refused:
            self._say(f"on {target}", f"nothing lands by itself on {target}: {refused}")

    def _told(self, result: Result) -> None:
        why = result.outcome if isinstance(result, Landed) else f"{result.error.code}: {result.error.message}"
        self._say(result.run.task_id, f"{result.run.task_id}: {why}")

    def _say(self, about: str, line: str) -> None:
        """Once, until there is something else to say about it."""
        if self._said.get(about) != line:
            self._said[about] = line
            self._log(line)


def _of(run: Run) -> _Tried:
    return _Tried(run.approved_commit, run.priority)
