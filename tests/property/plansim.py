"""A world in which plans run without processes: records change as agents, supervisors and gates would change them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from conductor_git.names import CommitId, TaskId
from conductor_git.review import Review, Verdict
from conductor_git.run import Event, Run, State, advance
from conductor_git.workflow.planning.actions import Action, Approve, Ask, Halt, Land, Recall, Resume, Spawn
from conductor_git.workflow.planning.facts import Facts
from conductor_git.workflow.planning.planned import Planned, PlannedTask
from conductor_git.workflow.planning.verdicts import plan_reviewer
from tests.unit import planned_runs as made


def drawn_plan(chance: Random) -> Planned:
    """A plan of up to eight tasks, each of which needs some of those before it."""
    names = [f"t{number}" for number in range(chance.randint(1, 8))]
    policies = [made.GATES, made.NEVER, made.quorum(1), made.quorum(2)]
    tasks = []
    for number, name in enumerate(names):
        needs = chance.sample(names[:number], chance.randint(0, min(2, number)))
        approval = chance.choice(policies)
        more = {"approval": approval, "reviewers": ("codex", "gemini"), "reviews_required": max(1, approval.quorum)}
        tasks.append(made.task(name, *needs, **more, priority=chance.randint(-1, 1)))
    chance.shuffle(tasks)
    return made.plan(*tasks, workers=chance.randint(1, 3), rounds=2, fail_fast=chance.random() < 0.2)


@dataclass(slots=True)
class World:
    planned: Planned
    chance: Random
    runs: dict[TaskId, Run] = field(default_factory=dict)
    reviews: dict[TaskId, list[Review]] = field(default_factory=dict)
    alive: set[TaskId] = field(default_factory=set)
    tidying: set[TaskId] = field(default_factory=set)
    """The living that have handed in: they only end, also where the task comes back meanwhile."""
    tried: dict[Action, str] = field(default_factory=dict)
    spawned: list[TaskId] = field(default_factory=list)
    deaths: int = 6
    """So many supervisors may be killed before the world is merciful."""
    minutes: int = 0

    def now(self) -> datetime:
        self.minutes += 1
        return made.NOON + timedelta(minutes=self.minutes)

    def facts(self) -> Facts:
        runs = list(self.runs.values())
        seen = made.facts(*runs, alive=tuple(self.alive), tried=dict(self.tried))
        in_review = {run.task_id for run in runs if run.state is State.IN_REVIEW}
        return replace(seen, reviews={task_id: tuple(self.reviews.get(task_id, ())) for task_id in in_review})

    # --- what the runner does

    def perform(self, action: Action) -> None:
        self.tried[action] = ""
        match action:
            case Spawn(task_id):
                self._begin(made.run(task_id), task_id)
            case Ask(task_id, reviewer, agent, commit):
                run = replace(made.run(reviewer), agent=agent, review_of=task_id, base_commit=commit)
                self._begin(run, reviewer)
            case Resume(task_id):
                self._move(task_id, Event.START, only=State.ASSIGNED)
                self._live(task_id)
            case Approve(task_id, commit):
                assert self.runs[task_id].head_commit == commit
                self._verdict(task_id, plan_reviewer(made.PLAN), Verdict.APPROVE)
            case Recall(task_id) | Halt(task_id):
                self.alive.discard(task_id)
                if isinstance(action, Recall):
                    self._move(task_id, Event.CANCEL)
            case Land():
                self._land(action)

    def _begin(self, run: Run, task_id: TaskId) -> None:
        assert task_id not in self.runs, "nothing is made twice"
        self.spawned.append(task_id)
        self.runs[task_id] = replace(run, created_at=self.now(), updated_at=self.now())
        if self.chance.random() < 0.9:  # else we were killed before its supervisor began
            self._move(task_id, Event.START)
            self._live(task_id)

    def _live(self, task_id: TaskId) -> None:
        self.alive.add(task_id)
        self.tidying.discard(task_id)

    def _land(self, action: Land) -> None:
        luck = self.chance.random()
        if luck < 0.7:
            self._move(action.task_id, Event.MERGE)
        elif luck < 0.9:
            self._move(action.task_id, Event.BOUNCE)
        else:
            self.tried[action] = "a checkout is in the way"

    # --- what happens by itself

    def happen(self) -> bool:
        """Something happens to one of the living; False where nobody lives."""
        if not self.alive:
            return False
        task_id = self.chance.choice(sorted(self.alive))
        run = self.runs[task_id]
        if self.deaths and self.chance.random() < 0.2:
            self.deaths -= 1
            self.runs[task_id] = replace(run, supervision=made.supervised())
            self.alive.discard(task_id)
        elif task_id in self.tidying or run.state not in (State.ASSIGNED, State.WORKING):
            self.alive.discard(task_id)
        elif self.chance.random() < 0.1:
            self._move(task_id, Event.FAIL)
        elif run.review_of is None:
            self._hand_in(task_id)
        else:
            self._judge(run)
        return True

    def _hand_in(self, task_id: TaskId) -> None:
        commit = CommitId(f"{self.minutes:040x}")
        self.tidying.add(task_id)
        self._move(task_id, Event.DONE, commit=commit)
        self.runs[task_id] = replace(self.runs[task_id], head_commit=commit)

    def _judge(self, reviewer: Run) -> None:
        assert reviewer.review_of is not None
        reviewed = self.runs[reviewer.review_of]
        if reviewed.state is State.IN_REVIEW and reviewed.head_commit == reviewer.base_commit:
            verdict = Verdict.APPROVE if self.chance.random() < 0.7 else Verdict.REQUEST_CHANGES
            self._verdict(reviewed.task_id, reviewer.task_id, verdict)
            self._move(reviewer.task_id, Event.REVIEWED)
        else:
            self._move(reviewer.task_id, Event.FAIL)

    def _verdict(self, task_id: TaskId, name: str, verdict: Verdict) -> None:
        run = self.runs[task_id]
        assert run.head_commit is not None
        given = self.reviews.setdefault(task_id, [])
        given.append(Review(len(given) + 1, name, verdict, run.head_commit, "", self.now()))
        approvals = {one.reviewer for one in given if one.commit == run.head_commit and one.verdict is Verdict.APPROVE}
        if verdict is Verdict.REQUEST_CHANGES:
            self._move(task_id, Event.REQUEST_CHANGES)
        elif len(approvals) >= self._task(task_id).reviews_required:
            self._move(task_id, Event.APPROVE)

    def _task(self, task_id: TaskId) -> PlannedTask:
        return self.planned.by_id[task_id]

    def _move(
        self, task_id: TaskId, event: Event, *, commit: CommitId | None = None, only: State | None = None
    ) -> None:
        run = self.runs[task_id]
        if only is None or run.state is only:
            self.runs[task_id] = replace(advance(run, event, at=self.now(), by="somebody", commit=commit))


def agents_at_work(world: World) -> int:
    """How many of the living have something to do; one that has handed in only tidies up."""
    working = world.alive - world.tidying
    return sum(world.runs[task_id].state in (State.ASSIGNED, State.WORKING) for task_id in working)
