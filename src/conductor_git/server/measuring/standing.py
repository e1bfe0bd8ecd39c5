"""How the tasks stand, counted in their records when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from conductor_git.landing.order import Queue, approved_at
from conductor_git.project import Project
from conductor_git.run import Run, State
from conductor_git.workflow.looking.queues import queues
from conductor_git.workflow.looking.sift import live, tally


@dataclass(frozen=True, slots=True, eq=False)
class Standing(Collector):
    """Reads the records of all tasks at each scrape; those that cannot be read are counted as such."""

    project: Project
    clock: Callable[[], datetime]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield self._tasks()
        yield from self._queues(queues(self.project, live(self.project)))

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing is read before somebody asks."""
        return iter(())

    def _tasks(self) -> GaugeMetricFamily:
        found = GaugeMetricFamily("conductor_tasks", "Tasks by state", labels=["state"])
        counted = tally(self.project)
        for state in (*State, "unreadable"):
            found.add_metric([str(state)], counted[str(state)])
        return found

    def _queues(self, found: dict[str, Queue]) -> Iterator[GaugeMetricFamily]:
        length = GaugeMetricFamily("conductor_queue_length", "Approved tasks that have not landed", labels=["target"])
        wait = GaugeMetricFamily(
            "conductor_queue_wait_seconds", "How long the first of them has waited", labels=["target"]
        )
        for target, queue in found.items():
            runs = [*queue.ready, *(each.run for each in queue.waiting)]
            length.add_metric([target], len(runs))
            wait.add_metric([target], max((self._waited(run) for run in runs), default=0.0))
        yield length
        yield wait

    def _waited(self, run: Run) -> float:
        return max(0.0, (self.clock() - approved_at(run)).total_seconds())
