"""retry of a reviewer's task: a new worktree at the commit that is in review now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

from conductor_git import configguard, durable, integration, journal, worktree
from conductor_git.actor import Actor
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project
from conductor_git.run import Event, Run
from conductor_git.salvage.keep import Salvage
from conductor_git.settings import project_config
from conductor_git.transition import move
from conductor_git.workflow.agent_review.prompt import added_to, prompt_for
from conductor_git.workflow.agent_review.spawn import in_review
from conductor_git.workflow.landing import cleanup
from conductor_git.workflow.prompting.asked import PROMPT_BYTES
from conductor_git.workflow.reviewing.reviewer import refuse_own
from conductor_git.workflow.spawn import write_context
from conductor_git.workflow.spawning.ground import furnish
from conductor_git.workflow.spawning.order import ground_for


def review_again(project: Project, task_id: TaskId, *, by: Actor, at: datetime) -> tuple[Run, Salvage | None]:
    """FAILED or CANCELLED → ASSIGNED at the commit that the other task has in review, one generation up.

    What lies in the old worktree is salvaged. Call it when no agent of the task runs.
    """
    run = project.runs.get(task_id)
    assert run.review_of is not None
    refuse_own(project, run.review_of, by)
    reviewed = in_review(project, run.review_of)
    commit = reviewed.head_commit
    assert commit is not None
    with journal.operation(project.layout, task_id, "retry", seconds=60) as held:
        project = project.holding(held)
        configguard.require_agreed(project.layout, integration.shared_config(project.git))
        kept = cleanup.remove_worktree(project, run, at=at)
        _ask_again(project, run, reviewed)
        worktree.add_read_only(project.git, project.layout, Path(run.worktree), commit=commit)
        furnish(project, task_id, Path(run.worktree), ground_for(project_config(project)), starts_agent=True)
        write_context(project, replace(run, generation=run.generation + 1, base_commit=commit))
        return _again(project, task_id, commit, by, at), kept


def _ask_again(project: Project, run: Run, reviewed: Run) -> None:
    path = project.layout.prompt(run.task_id)
    before = durable.read_regular(path, PROMPT_BYTES).decode("utf-8", "replace")
    durable.replace(path, prompt_for(project, reviewed, run.task_id, added_to(before)).encode())


def _again(project: Project, task_id: TaskId, commit: CommitId, by: Actor, at: datetime) -> Run:
    def anew(now: Run) -> Run:
        return replace(now, generation=now.generation + 1, base_commit=commit, reason=None)

    return move(project, task_id, Event.RETRY, at=at, by=by.name, commit=commit, also=anew)
