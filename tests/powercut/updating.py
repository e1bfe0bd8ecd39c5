"""Changes run records: `python -m tests.powercut.updating NAME GIT_DIR TASKS`."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from conductor_git.layout import Layout
from conductor_git.names import CommitId, TaskId
from conductor_git.run import Run, State
from conductor_git.store.files import FileRuns
from tests.powercut.chance import Chance
from tests.powercut.worker import acknowledge, text, work

CREATED, UPDATED = "created", "updated"
_NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
_CREATE_EVERY: Final = 8


def shared_task(number: int) -> TaskId:
    """One of the tasks that all workers change."""
    return TaskId(f"shared-{number}")


def new_run(task_id: TaskId, summary: str) -> Run:
    return Run(
        project_id="acme",
        task_id=task_id,
        title="Power",
        state=State.WORKING,
        branch=f"worker/{task_id}",
        target="main",
        base_commit=CommitId("0" * 40),
        worktree=f"../{task_id}",
        agent=None,
        created_at=_NOON,
        updated_at=_NOON,
        summary=summary,
    )


def main() -> None:
    name, git_dir, tasks = sys.argv[1:]
    runs = FileRuns(Layout(Path(git_dir)), lock_seconds=60)

    def step(number: int) -> None:
        summary = text(name, number)
        if number % _CREATE_EVERY == 0:
            made = runs.create(new_run(TaskId(f"{name}-{number}"), summary))
            acknowledge(name, CREATED, made.task_id, made.revision, number)
        else:
            task_id = shared_task(Chance("task", name, number).randrange(int(tasks)))
            run = runs.update(task_id, lambda run: replace(run, summary=summary))
            acknowledge(name, UPDATED, task_id, run.revision, number)

    work(name, step)


if __name__ == "__main__":
    main()
