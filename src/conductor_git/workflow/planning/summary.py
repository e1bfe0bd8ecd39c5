"""What became of a plan: its tasks in groups, and the exit code that scripts tell them apart by (no I/O)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conductor_git.errors import AgentFailed, ConductorError
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.workflow.planning.facts import Stands
from conductor_git.workflow.planning.standing import Standing

_NOT_STARTED: Final = (Stands.NEVER, Stands.HELD, Stands.PENDING)


@dataclass(frozen=True, slots=True)
class Summary:
    """The tasks of a plan by what became of them; each is in one of the groups."""

    landed: tuple[TaskId, ...]
    failed: tuple[TaskId, ...]
    """Those that were cancelled too."""
    waiting: tuple[TaskId, ...]
    """For a person, or still at work where we were interrupted."""
    not_started: tuple[TaskId, ...]

    @property
    def exit_code(self) -> int:
        """0 where everything has landed, that of a failed agent where something failed, else 1."""
        if self.failed:
            return AgentFailed.exit_code
        return ConductorError.exit_code if self.waiting or self.not_started else 0


def summary(standings: Mapping[TaskId, Standing], runs: Mapping[TaskId, Run]) -> Summary:
    ended = (Stands.FAILED, Stands.CANCELLED)
    groups: dict[str, list[TaskId]] = {"landed": [], "failed": [], "waiting": [], "not_started": []}
    for task_id, standing in standings.items():
        if standing.stands is Stands.LANDED:
            groups["landed"].append(task_id)
        elif standing.stands in ended:
            groups["failed"].append(task_id)
        elif task_id not in runs and standing.stands in _NOT_STARTED:
            groups["not_started"].append(task_id)
        else:
            groups["waiting"].append(task_id)
    return Summary(**{name: tuple(ids) for name, ids in groups.items()})
