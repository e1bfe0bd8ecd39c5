"""The supervisor of a task as a program: `python -m conductor_git.workflow.attend COMMON_DIR REPOSITORY TASK`.

It runs in a session of its own, detached from whoever asked for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from conductor_git.errors import ConductorError
from conductor_git.names import TaskId, parse_task_id
from conductor_git.project import Project, project_at
from conductor_git.run import Run, State, utcnow
from conductor_git.runner.supervising.supervise import supervise
from conductor_git.runner.supervising.world import RealWorld
from conductor_git.workflow.agent_review.reviewed import clear_away
from conductor_git.workflow.landing.cleanup import clean_up_late
from conductor_git.workflow.prompting.attempt import attempt_prompt


def main(arguments: list[str]) -> int:
    world = RealWorld()  # first of all, so that a signal finds somebody
    common_dir, repository, task = arguments
    project, task_id = project_at(Path(common_dir), Path(repository)), parse_task_id(task)
    supervise(project, task_id, _prompt, world)
    _clean_up(project, task_id)
    return 0


def _clean_up(project: Project, task_id: TaskId) -> None:
    """What could not be taken away while its agent was at work is taken away now: a verdict or a landing was faster."""
    run = project.runs.get(task_id)
    if run.review_of is not None:
        clear_away(project, task_id, at=utcnow())
    elif run.state is State.COMPLETED and Path(run.worktree).exists():
        clean_up_late(project, task_id, at=utcnow())


def _prompt(project: Project, run: Run, edits: bool) -> bytes:
    return attempt_prompt(project, run, edits=edits, now=utcnow())


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ConductorError as refused:
        sys.exit(f"{refused.code}: {refused.message}")
