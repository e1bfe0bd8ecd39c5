"""One thread for each log that anybody reads as it is written: it wakes them when there may be more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from conductor_git.bus.watching.looks import sleep
from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import unheard
from conductor_git.bus.watching.watch import Watch
from conductor_git.errors import NotFound
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.server.streams.stream import Stream
from conductor_git.workflow.following import LOOK_SECONDS, Record

_APART: Final = 0.02
"""Seconds between two wakes at least: an agent can print faster than anybody reads."""
Soon = Callable[[Callable[[], None]], None]
"""Calls something in the event loop, from any thread."""


class Watchers:
    """Belongs to the event loop. A thread lives for as long as somebody reads its log."""

    def __init__(self, project: Project, soon: Soon) -> None:
        self._project, self._soon = project, soon
        self._threads: dict[tuple[TaskId, bool], _Watcher] = {}

    @property
    def count(self) -> int:
        """So many logs are watched."""
        return len(self._threads)

    @contextmanager
    def watching(self, task_id: TaskId, stderr: bool, stream: Stream) -> Iterator[None]:
        """`stream` is woken within the block when the log grows, and now and then besides."""
        key = (task_id, stderr)
        if key not in self._threads:
            self._threads[key] = _Watcher(self._project, task_id, stderr, self._soon)
        watcher = self._threads[key]
        watcher.streams.add(stream)
        try:
            yield
        finally:
            watcher.streams.discard(stream)
            if not watcher.streams:
                del self._threads[key]
                watcher.stop()


class _Watcher:
    def __init__(self, project: Project, task_id: TaskId, stderr: bool, soon: Soon) -> None:
        self.streams: set[Stream] = set()
        self._project, self._name, self._soon = project, "stderr.log" if stderr else "stdout.log", soon
        self._record = Record(project, task_id)
        self._seen = self._record.now()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name=f"log-watch {task_id}", daemon=True).start()

    def stop(self) -> None:
        """Let the thread end, half a second later at most; waits for nothing."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            path = self._path()
            with Watch(path, unheard) as watch:
                while not self._stopped.is_set() and path == self._path():
                    watch.arm()
                    self._soon(self._wake)
                    with Stop(LOOK_SECONDS) as pause:
                        watch.wait(pause)
                    sleep(None, seconds=_APART)

    def _path(self) -> Path:
        """The log of the last attempt; where there is none yet, the record, which will say so."""
        with suppress(NotFound):  # whoever reads the log finds that out too, and says so
            self._seen = self._record.now()
        run, layout = self._seen, self._project.layout
        last = run.last_attempt
        return layout.run_info(run.task_id) if last is None else layout.attempt(run.task_id, last.run_id) / self._name

    def _wake(self) -> None:
        for stream in self.streams:
            stream.news.set()
