"""A plan against its project: what it means there, or everything that keeps it from being run. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from conductor_git.config.model import Config
from conductor_git.config.plan import AgentChoice, Approval, PlanTask, Policy, WrittenPlan, bad_plan, nearest
from conductor_git.config.problem import Problem
from conductor_git.errors import BadConfig, BadRecord, ConductorError, NotFound
from conductor_git.history import branches
from conductor_git.names import CommitId, TaskId
from conductor_git.project import Project, require_commits
from conductor_git.settings import target_config
from conductor_git.strictyaml import KeyPath
from conductor_git.workflow.planning.crew import Crew
from conductor_git.workflow.planning.planned import Planned, PlannedTask, cycles
from conductor_git.workflow.planning.promptfile import read_prompt

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a plan is to be run: its project and config, the file it is read from, and what is known of agents."""

    project: Project
    config: Config
    file: Path
    crew: Crew


def validated(written: WrittenPlan, setting: Setting) -> Planned:
    """What the plan means, or `BadPlan` with every problem, each with its line and key."""
    if not written.document.name and not _is_plan_name(setting.file.stem):
        raise bad_plan([written.problem(("name",), f"is missing, and {setting.file.stem!r} cannot stand for it")])
    return _Validation(written, setting).planned()


def _is_plan_name(text: str) -> bool:
    from pydantic import TypeAdapter, ValidationError

    from conductor_git.config.plan import PlanName

    try:
        TypeAdapter(PlanName).validate_python(text)
    except ValidationError:
        return False
    return True


class _Validation:
    """One pass over a plan that gathers what is wrong with it."""

    def __init__(self, written: WrittenPlan, setting: Setting) -> None:
        self._written, self._setting, self._crew = written, setting, setting.crew
        self._document = written.document
        self._problems: list[Problem] = []
        self._name = self._document.name or setting.file.stem
        self._ids = [TaskId(task_id) for task_id in self._document.tasks]
        self._turns: dict[tuple[str, ...], int] = {}
        self._gates: dict[str, bool] = {}

    def planned(self) -> Planned:
        require_commits(self._setting.project)
        self._known = branches(self._setting.project.git)
        tasks = tuple(self._task(task_id, self._document.tasks[task_id]) for task_id in self._ids)
        self._look_for_cycles(tasks)
        if self._problems:
            raise bad_plan(self._problems)
        limits = self._setting.config.limits
        return Planned(
            name=self._name,
            tasks=tasks,
            workers=min(self._document.workers or limits.workers, limits.workers),
            rounds=limits.attempts,
            fail_fast=self._document.fail_fast,
            stages=self._document.stages,
        )

    def _task(self, task_id: TaskId, task: PlanTask) -> PlannedTask:
        path: KeyPath = ("tasks", task_id)
        approval, approved_at = _own_or(task.approve, self._document.approve, path, "approve")
        agents = self._agents(task, path)
        target = self._target(task, path)
        self._look_at_id(task_id, path)
        self._look_at_needs(task, path)
        if approval.policy is Policy.GATES and target and not self._has_gates(target):
            self._say(approved_at, f"is gates, and the config of {target} has none")
        reviewers = self._reviewers(task, path, agents, approval, approved_at)
        required = task.reviews or self._document.reviews or self._setting.config.reviews_required
        return PlannedTask(
            task_id=task_id,
            prompt=self._prompt(task, path),
            title=task.title,
            agents=agents,
            target=target,
            approval=approval,
            reviewers=reviewers,
            reviews_required=max(required, approval.quorum),
            needs=tuple(map(TaskId, task.needs)),
            stage=task.stage,
            earlier=self._earlier(task, path),
            priority=task.priority,
        )

    def _say(self, path: KeyPath, what: str, suggestion: str = "") -> None:
        problem = self._written.problem(path, what, suggestion)
        if problem not in self._problems:  # what the plan says for all tasks is wrong once
            self._problems.append(problem)

    # --- agents and reviewers

    def _agents(self, task: PlanTask, path: KeyPath) -> tuple[str, ...]:
        choice, where = _own_or(task.agent, self._document.agent, path, "agent")
        default = self._setting.config.agents.default
        if choice is None and default is None:
            self._say(path, "has no agent, and neither the plan nor the config names a default")
            return ()
        if choice is None:
            choice, where = AgentChoice((str(default),)), path
        self._look_at_agents(choice.names, where, all_needed=choice.in_turn)
        return (self._turn(choice.names),) if choice.in_turn else choice.names

    def _turn(self, names: tuple[str, ...]) -> str:
        turn = self._turns.get(names, 0)
        self._turns[names] = turn + 1
        return names[turn % len(names)]

    def _look_at_agents(self, names: Sequence[str], path: KeyPath, *, all_needed: bool) -> None:
        known = [name for name in names if name in self._crew.names]
        for name in names:
            if name not in known:
                near = nearest(name, self._crew.names)
                self._say(path, f"names the agent {name}, which nothing here is", near)
        troubles = {name: said for name in known if (said := self._crew.trouble(name))}
        if troubles and (all_needed or len(troubles) == len(names)):
            for name, said in troubles.items():
                self._say(path, f"names the agent {name}, which cannot be used: {said}")

    def _reviewers(
        self, task: PlanTask, path: KeyPath, agents: tuple[str, ...], approval: Approval, approved_at: KeyPath
    ) -> tuple[str, ...]:
        if approval.policy is not Policy.QUORUM:
            return ()
        given, where = _own_or(task.reviewers, self._document.reviewers, path, "reviewers")
        if given is not None:
            self._look_at_agents(given, where, all_needed=True)
            for name in given:
                if self._crew.only_answers(name):
                    self._say(where, f"names the agent {name}, which only answers: a reviewer runs commands")
        named = self._all_agents() if given is None else given
        others = [name for name in named if name not in agents[:1] and not self._crew.only_answers(name)]
        if len(others) < approval.quorum:
            asked = ", ".join(others) or "none"
            who = agents[0] if agents else "its author"
            self._say(approved_at, f"asks for {approval.quorum} other agents than {who}, and there is: {asked}")
        return tuple(others)

    def _all_agents(self) -> list[str]:
        """The agents that the plan names anywhere, in that order: who reviews where it does not say."""
        choices = [self._document.agent, *(task.agent for task in self._document.tasks.values())]
        named = [name for choice in choices if choice for name in choice.names]
        default = self._setting.config.agents.default
        return list(dict.fromkeys([*named, *([default] if default else [])]))

    # --- what a task comes after

    def _look_at_id(self, task_id: TaskId, path: KeyPath) -> None:
        run = self._record(task_id, path)
        if run is not None and run != self._name:
            of = f"the plan {run}" if run else "no plan"
            self._say(path, f"is the name of a task that exists and is of {of}")

    def _record(self, task_id: TaskId, path: KeyPath) -> str | None:
        """The plan of the task that has this id, "" where it is of none; None where there is no such task."""
        try:
            return self._setting.project.runs.get(task_id).plan or ""
        except NotFound:
            return None
        except BadRecord as bad:
            self._say(path, bad.message)
            return None

    def _look_at_needs(self, task: PlanTask, path: KeyPath) -> None:
        existing = self._setting.project.layout.run_info
        for number, need in enumerate(task.needs):
            if need not in self._document.tasks and not existing(TaskId(need)).is_file():
                near = nearest(need, self._ids)
                self._say((*path, "needs", number), f"names {need}, which is no task of the plan or the project", near)

    def _earlier(self, task: PlanTask, path: KeyPath) -> tuple[TaskId, ...]:
        stages = self._document.stages
        if task.stage is None:
            return ()
        if task.stage not in stages:
            near = nearest(task.stage, stages)
            self._say((*path, "stage"), f"names {task.stage}, which is not one of the plan's `stages`", near)
            return ()
        before = set(stages[: stages.index(task.stage)])
        return tuple(other for other in self._ids if self._document.tasks[other].stage in before)

    def _look_for_cycles(self, tasks: Sequence[PlannedTask]) -> None:
        for found in cycles({task.task_id: task.before for task in tasks}):
            path: KeyPath = ("tasks", found[0], "needs")
            by_stage = any(two in self._earlier_of(one, tasks) for one, two in pairwise(found))
            more = "; a task of a later stage comes after all of the earlier ones" if by_stage else ""
            self._say(path, f"goes round in a circle: {' needs '.join(found)}{more}")

    def _earlier_of(self, task_id: TaskId, tasks: Sequence[PlannedTask]) -> tuple[TaskId, ...]:
        return next(task.earlier for task in tasks if task.task_id == task_id)

    # --- what it is asked, and where it lands

    def _prompt(self, task: PlanTask, path: KeyPath) -> str:
        if task.prompt_file is None:
            return task.prompt or ""
        try:
            return read_prompt(self._setting.file, task.prompt_file)
        except ConductorError as bad:
            self._say((*path, "prompt_file"), bad.message)
            return ""

    def _target(self, task: PlanTask, path: KeyPath) -> str:
        target, where = _own_or(task.target, self._document.target, path, "target")
        if target is None:
            target, where = self._setting.config.target or self._known.current, path
        if target is None:
            self._say(where, "has no target: HEAD is detached, and neither the plan nor the config names one")
            return ""
        if target not in self._known.tips:
            near = nearest(target, list(self._known.tips))
            self._say(where, f"has the target {target}, which is no branch here", near)
            return ""
        return target

    def _has_gates(self, target: str) -> bool:
        if target not in self._gates:
            tip: CommitId = self._known.tips[target]
            try:
                self._gates[target] = bool(target_config(self._setting.project, tip).gates)
            except BadConfig as bad:
                self._say(("tasks",), f"cannot be judged by the gates of {target}: {bad.message}")
                self._gates[target] = True
        return self._gates[target]


def _own_or(own: _Value | None, shared: _Value, path: KeyPath, key: str) -> tuple[_Value, KeyPath]:
    """The task's own value, or what the plan says for all, with the place of it."""
    return (own, (*path, key)) if own is not None else (shared, (key,))
