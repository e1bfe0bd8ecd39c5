"""spawn --review: an agent whose work is a verdict on the commit that another task has in review."""

from __future__ import annotations

from typing import Final

from conductor_git.actor import COORDINATOR
from conductor_git.config.model import Config
from conductor_git.errors import BadInput
from conductor_git.history import tip_of
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.runner.calling import calling, require_usable
from conductor_git.settings import bus_address
from conductor_git.workflow.agent_review.prompt import prompt_for
from conductor_git.workflow.family.bounds import require_parent
from conductor_git.workflow.review import require_at_head, require_in_review
from conductor_git.workflow.spawning.order import Order, Plan, agent_name, free_path, ground_for, require_free

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
    agent = agent_name(order, config)
    _require_reviewing(order, config, agent)
    if order.parent_task_id is not None:
        require_parent(project, order.parent_task_id)
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
        agent=agent,
        command=order.command,
        needs=(),
        reviews_required=1,
        bus=bus_address(project, config),
        review_of=reviewed,
        plan=order.plan,
        parent_task_id=order.parent_task_id,
        ground=ground_for(config),
    )


def _require_reviewing(order: Order, config: Config, agent: str | None) -> None:
    """A verdict is given by a command, which an agent that only answers cannot run."""
    if agent is None:
        return
    require_usable(config, order.task_id, [agent], order.command)
    if not calling(config, agent, order.command).adapter.edits:
        raise BadInput(
            f"{agent} only answers, and a reviewer has to look at files and run `conductor-git approve`",
            hint="conductor-git agents",
            agent=agent,
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
    require_in_review(run)
    tip = tip_of(project.git, run.branch_ref)
    require_at_head(project, run, tip, COORDINATOR, run.updated_at, look_only=True)
    return run
