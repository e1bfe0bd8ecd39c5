"""What all findings are told from: records, worktrees, branches and STATE messages, each read once."""

from __future__ import annotations

from datetime import datetime

from conductor_git.errors import BadRecord, ConductorError
from conductor_git.history import branch_tips
from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.diagnosing.finding import Ground
from conductor_git.worktree import Worktree, worktrees


def gathered(project: Project, *, now: datetime) -> Ground:
    """The ground as it is now. Reads only.

    Worktrees and messages come before records: whatever of either a record speaks of is then older than the record.
    """
    entries = worktrees(project.git)
    told = _told(project)
    scanned = list(project.runs.scan())
    return Ground(
        project=project,
        now=now,
        worktrees=_others(project, entries),
        runs=tuple(one for one in scanned if isinstance(one, Run)),
        unreadable={TaskId(str(one.facts["task_id"])): one.message for one in scanned if isinstance(one, BadRecord)},
        tips=branch_tips(project.git).tips,
        told=told,
    )


def _others(project: Project, entries: tuple[Worktree, ...]) -> tuple[Worktree, ...]:
    """All but the main checkout, which git lists first."""
    return tuple(entry for entry in entries[1:] if entry.path != project.repository)


def _told(project: Project) -> dict[TaskId, tuple[Message, ...]] | None:
    """The steps of each task that the bus tells of, from its last first step on; what was read past damage is left out.

    A task id that is used again, once its first task is gone, begins anew with step 1.
    """
    found: dict[TaskId, list[Message]] = {}
    try:
        for message in project.bus.read(types=("STATE",)):
            if message.recovered or message.task_id is None:
                continue
            task_id = TaskId(message.task_id)
            if message.meta.get("step") == "1":
                found[task_id] = []
            found.setdefault(task_id, []).append(message)
    except (ConductorError, OSError):
        return None
    return {task_id: tuple(messages) for task_id, messages in found.items()}


def steps_of(project: Project, task_id: TaskId) -> tuple[Message, ...]:
    """As in `gathered`, of one task; nothing where the bus cannot be read."""
    return (_told(project) or {}).get(task_id, ())
