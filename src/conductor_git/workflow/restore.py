"""restore: what a removal has kept comes back, in the place where it was or in another; nothing is overwritten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from conductor_git import journal, worktree
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.salvage.keep import keep_head_of_gone
from conductor_git.transition import message_of
from conductor_git.workflow.restoring.build import built
from conductor_git.workflow.restoring.place import making, publish
from conductor_git.workflow.restoring.plan import Plan, plan


@dataclass(frozen=True, slots=True)
class Restored:
    """What was, or with `dry_run` would be, brought back; `files` is None for a dry run."""

    run: Run
    plan: Plan
    files: int | None = None


def restore(
    project: Project,
    task_id: TaskId,
    *,
    at: datetime,
    wanted: str | None = None,
    into: Path | None = None,
    dry_run: bool = False,
) -> Restored:
    """Bring back the task's branch and worktree, or into the directory `into` a plain worktree with the same files.

    Files come back byte for byte with their modes, symbolic links as links, the index as it was, a detached HEAD
    detached. What is there is never overwritten: `InTheWay` says what it is. The worktree appears whole or not at all,
    also after a kill. The state of the task stays as it is, and the salvage ref too.
    """
    if dry_run:
        run = project.runs.get(task_id)
        return Restored(run, plan(project, run, wanted=wanted, into=into))
    project.runs.get(task_id)
    with journal.operation(project.layout, task_id, "restore", seconds=60) as held:
        project = project.holding(held)
        run = project.runs.get(task_id)
        decided = plan(project, run, wanted=wanted, into=into)
        if decided.is_task and not decided.replaces:
            _drop_leftover_registration(project, run, at)
        with making(project, decided) as now, built(project, decided, now.staging) as files:
            publish(project, run, decided, now, files)
        _tell(project, run, decided)
        return Restored(run, decided, files.files)


def _drop_leftover_registration(project: Project, run: Run, at: datetime) -> None:
    """The registration of a worktree that was deleted by hand may be all that holds its HEAD."""
    path = Path(run.worktree)
    keep_head_of_gone(project.git, project.layout, run.task_id, path, at=at)
    worktree.drop_registration(project.layout, path)


def _tell(project: Project, run: Run, decided: Plan) -> None:
    source = decided.salvage.ref if decided.salvage else decided.commit
    words = f"restored {run.task_id} in {decided.path} from {source}"
    project.bus.append(message_of(run, "FACT", words, {"restored": source}))
