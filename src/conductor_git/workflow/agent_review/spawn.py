"""spawn --review: an agent whose work is a verdict on the commit that another task has in review."""

from __future__ import annotations

from typing import Final

from conductor_git.actor import COORDINATOR
from conductor_git.config.model import Config
from conductor_git.errors import BadInput, IllegalTransition
from conductor_git.history import tip_of
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run, State, next_command
from conductor_git.runner.launch import require_command
from conductor_git.settings import bus_address
from conductor_git.workflow.agent_review.prompt import prompt_for
from conductor_git.workflow.review import require_at_head
from conductor_git.workflow.spawn import Order, Plan, agent_name, free_path, require_free

DETACHED: Final = "HEAD"
"""What git calls the branch of a detached worktree. A ref of this name is none that git lets anybody make."""


def plan_review(project: Project, order: Order, config: Config, reviewed: TaskId) -> Plan:
    """Decide what a reviewer of the task `reviewed` means here, or refuse it before anything is made.

    Its worktree is read-only, at the commit in review; it has no branch, and lands nothing.
    """
    require_free(project, order.task_id)
    _require_plain(order)
    run = in_review(project, reviewed)
    assert run.head_commit is not None  # IN_REVIEW and APPROVED always have one
    require_command(order.task_id, order.command)
    path = free_path(project, config, order.task_id)
    return Plan(
        task_id=order.task_id,
        title=order.title or f"Review {reviewed}: {run.title}"[:120],
        prompt=prompt_for(project, run, order.task_id, order.prompt),
        branch=DETACHED,
        new_branch=False,
        target=run.target,
        base_commit=run.head_commit,
        worktree=path,
        root=path.parent,
        agent=agent_name(order, config),
        command=order.command,
        needs=(),
        reviews_required=1,
        bus=bus_address(project, config),
        review_of=reviewed,
    )


def _require_plain(order: Order) -> None:
    given = {
        "--base": order.base,
        "--target": order.target,
        "--needs": order.needs,
        "--reviews": order.reviews_required,
        "--existing": order.existing,
        "--priority": order.priority,
    }
    if wrong := [option for option, value in given.items() if value]:
        raise BadInput(
            f"{', '.join(wrong)} and --review: a reviewer looks at the commit in review, and lands nothing",
            hint="conductor-git spawn --help",
        )


def in_review(project: Project, task_id: TaskId) -> Run:
    """The task, which has to have a commit in review, and its branch at it."""
    run = project.runs.get(task_id)
    if run.state not in (State.IN_REVIEW, State.APPROVED):
        raise IllegalTransition(
            f"{task_id} is {run.state}: nothing of it is in review",
            hint=next_command(run),
            task_id=task_id,
            state=str(run.state),
            event="review",
        )
    tip = tip_of(project.git, run.branch_ref)
    require_at_head(project, run, tip, COORDINATOR, run.updated_at, look_only=True)
    return run
