"""From the path of a plan to what its runner goes by."""

from __future__ import annotations

from pathlib import Path

from conductor_git import durable
from conductor_git.config.model import Config
from conductor_git.config.plan import MOST_BYTES, read_plan
from conductor_git.errors import BadInput, TooLarge, UnsafePath
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.workflow.planning.crew import Crew
from conductor_git.workflow.planning.planned import Planned
from conductor_git.workflow.planning.validate import Setting, validated
from conductor_git.workflow.prompting.asked import PROMPT_BYTES


def prepare(project: Project, config: Config, file: Path) -> Planned:
    """Read the plan at `file` and hold it against its project; `BadPlan` with all that is wrong. Changes nothing."""
    written = read_plan(_bytes_of(file), str(file))
    return validated(written, Setting(project, config, file, Crew(config)))


def _bytes_of(file: Path) -> bytes:
    try:
        return durable.read_regular(file.resolve(), MOST_BYTES)
    except (OSError, TooLarge, UnsafePath) as bad:
        why = bad.strerror if isinstance(bad, OSError) else bad.message
        raise BadInput(f"the plan {file} cannot be read: {why}", hint="conductor-git run --help") from bad


def changed_prompts(project: Project, planned: Planned) -> tuple[TaskId, ...]:
    """The tasks that were asked something else than the plan says now; what they were asked stands."""
    return tuple(task.task_id for task in planned.tasks if _asked(project, task.task_id) not in (None, task.prompt))


def _asked(project: Project, task_id: TaskId) -> str | None:
    try:
        return durable.read_regular(project.layout.prompt(task_id), PROMPT_BYTES).decode("utf-8", "replace")
    except (OSError, TooLarge, UnsafePath):
        return None
