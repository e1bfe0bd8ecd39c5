"""One action of a plan's runner, through the workflow that the command for it calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from conductor_git.actor import Actor
from conductor_git.config.model import Config
from conductor_git.project import Project
from conductor_git.runner.stop import end_attempt
from conductor_git.workflow import end, resume, review
from conductor_git.workflow import spawn as spawning
from conductor_git.workflow.agent_review.spawn import plan_review
from conductor_git.workflow.planning.actions import Action, Approve, Ask, Halt, Recall, Resume, Spawn
from conductor_git.workflow.planning.planned import Planned
from conductor_git.workflow.spawning import order as ordering


@dataclass(frozen=True, slots=True)
class Hands:
    """What acts for a plan: as whom, in which project, by which clock."""

    project: Project
    planned: Planned
    config: Config
    by: Actor
    approver: Actor
    clock: Callable[[], datetime]

    def perform(self, action: Action) -> bool:
        """Do it, or raise why not; each is an operation of the project, mended by the next command after a kill.

        False where somebody else is at it, such as a supervisor that is about to end.
        """
        at = self.clock()
        match action:
            case Spawn():
                self._spawn(action)
            case Ask():
                self._ask(action)
            case Resume(task_id):
                return resume.resume(self.project, task_id)[1]
            case Recall(task_id):
                end.cancel(self.project, task_id, by=self.by, at=at, why="another commit is to be reviewed")
            case Approve(task_id, commit):
                body = f"In the name of the plan {self.planned.name}: the gates decide."
                review.approve(self.project, task_id, by=self.approver, at=at, commit=commit, body=body)
            case Halt(task_id):
                end_attempt(self.project, task_id, at=at)
            case _:
                raise AssertionError(f"{action} is not done here")
        return True

    def _spawn(self, action: Spawn) -> None:
        task = self.planned.by_id[action.task_id]
        order = ordering.Order(
            task_id=task.task_id,
            prompt=task.prompt,
            title=task.title,
            agent=task.agents[0],
            fallbacks=task.agents[1:],
            target=task.target,
            needs=task.needs,
            reviews_required=task.reviews_required,
            priority=task.priority,
            plan=self.planned.name,
            parent_task_id=self.by.speaker,
        )
        wanted = ordering.plan(self.project, order, self.config)
        spawning.spawn(self.project, wanted, by=self.by, at=self.clock(), waits=False)

    def _ask(self, action: Ask) -> None:
        order = ordering.Order(task_id=action.reviewer, agent=action.agent, plan=self.planned.name)
        wanted = plan_review(self.project, order, self.config, action.task_id)
        spawning.spawn(self.project, wanted, by=self.by, at=self.clock(), waits=False)
