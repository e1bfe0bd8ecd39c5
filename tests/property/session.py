"""The commands, each with what it is expected to do beforehand and what it did afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conductor_git import errors
from conductor_git.actor import COORDINATOR, Actor
from conductor_git.errors import ConductorError
from conductor_git.names import TaskId
from conductor_git.run import Run
from conductor_git.settings import project_config
from conductor_git.workflow import end, finish, retry, review, spawn, start
from conductor_git.workflow.recover import recover
from conductor_git.workflow.spawning.order import Order, plan
from tests.property import laws
from tests.property.model import ENDED, LIVE, Task
from tests.property.world import Desk, Facts, World, work

Refusals = set[type[ConductorError]]


@dataclass(frozen=True, slots=True)
class Did:
    """One command: what it returned or how it refused, and everything before and after."""

    before: Facts
    after: Facts
    result: Any = None
    refusal: ConductorError | None = None


class Session:
    """A repository and the model of its tasks. A method is a command: it runs, and is judged."""

    def __init__(self, template: Path, place: Path) -> None:
        self.world = World.build(template, place)
        self.tasks: dict[str, Task] = {}
        self._reviews = 0

    def _do(self, command: Callable[[], Any]) -> Did:
        before = self.world.facts()
        try:
            result = command()
        except ConductorError as refusal:
            return Did(before, self.world.facts(), refusal=refusal)
        return Did(before, self.world.facts(), result)

    def _refused(self, did: Did, expected: Refusals, *, indexes: bool = True) -> bool:
        """True where it refused as it should have, and changed nothing."""
        if not expected:
            if did.refusal is not None:
                raise AssertionError(f"refused for no reason: {did.refusal!r}") from did.refusal
            return False
        assert did.refusal is not None, f"done, although {expected}"
        assert type(did.refusal) in expected, f"{did.refusal!r} instead of {expected}"
        assert did.refusal.hint != ""
        laws.unchanged(did.before, did.after, indexes=indexes)
        return True

    def _stale(self, task: Task, by: Actor) -> Refusals:
        claimed = by.generation_for(task.task_id)
        return {errors.StaleGeneration} if claimed is not None and claimed < task.generation else set()

    # the commands

    def spawn(
        self,
        task_id: TaskId,
        base: str | None,
        target: str | None,
        required: int,
        *,
        existing: bool,
        needs: tuple[TaskId, ...] = (),
        priority: int = 0,
    ) -> None:
        world = self.world
        order = Order(
            task_id,
            base=base,
            target=target,
            reviews_required=required,
            existing=existing,
            needs=needs,
            priority=priority,
        )
        head = world.head_ref(world.repository)
        landing_on = target or (head.removeprefix("refs/heads/") if head.startswith("refs/") else None)
        tip = world.tip(f"refs/heads/worker/{task_id}")
        expected = self._spawn_refusals(order, landing_on, tip)

        did = self._do(lambda: self._spawn(order))

        if self._refused(did, expected):
            return
        assert landing_on is not None
        asked = world.tip(base or f"refs/heads/{landing_on}") if tip is None else None
        begun = asked or world.ask("merge-base", f"refs/heads/{landing_on}", str(tip))
        place = world.worktrees / task_id
        task = Task(task_id, landing_on, begun, place, required, needs=needs, priority=priority)
        self.tasks[task_id] = task
        laws.bounded(did.before, did.after, task_id, [task.branch_ref])
        assert world.tip(task.branch_ref) == (tip or begun)
        self._fresh_worktree(task)

    def _spawn(self, order: Order) -> Run:
        project = self.world.project
        return spawn.spawn(project, plan(project, order, project_config(project)), by=COORDINATOR, at=self.world.now())

    def _spawn_refusals(self, order: Order, target: str | None, tip: str | None) -> Refusals:
        found: Refusals = set()
        if any(need not in self.tasks for need in order.needs):
            found.add(errors.NotFound)
        if order.task_id in self.tasks:
            found.add(errors.TaskExists)
        if target is None:
            found.add(errors.BadInput)
        if tip is not None and not order.existing:
            found.add(errors.BranchExists)
        if tip is None and order.existing:
            found.add(errors.NotFound)
        if (self.world.worktrees / order.task_id).exists():
            found.add(errors.PathExists)
        return found

    def _fresh_worktree(self, task: Task) -> None:
        assert self.world.is_quiet(task)
        assert self.world.unsettled(task.worktree) == set()

    def start(self, task_id: TaskId, by: Actor) -> None:
        task = self.tasks.get(task_id)
        expected: Refusals = set()
        if task is None:
            expected.add(errors.NotFound)
        else:
            expected |= self._stale(task, by)
            if task.state != "ASSIGNED":
                expected.add(errors.IllegalTransition)

        did = self._do(lambda: start.start(self.world.project, task_id, by=by, at=self.world.now()))

        if not self._refused(did, expected):
            assert task is not None
            task.take("start")
            laws.bounded(did.before, did.after, task_id)
            assert did.before.desks == did.after.desks

    def done(self, task_id: TaskId, by: Actor, *, wip: bool) -> None:
        task = self.tasks.get(task_id)
        commits = wip and self._has_work(task)
        expected = self._done_refusals(task, by, wip=wip)
        was = self.world.tip(task.branch_ref) if task else None

        did = self._do(lambda: finish.finish(self.world.project, task_id, by=by, at=self.world.now(), wip=wip))

        # `git add` may have staged what lies there before it turns out that it makes no commit.
        if self._refused(did, expected, indexes=not wip):
            return
        assert task is not None
        laws.bounded(did.before, did.after, task_id, [task.branch_ref] if commits else [])
        tip = self.world.tip(task.branch_ref)
        assert tip is not None
        if commits:
            assert self.world.ask("rev-parse", f"{tip}^") == was
        else:
            assert tip == was
        assert work(did.before.desks[task_id]) == work(did.after.desks[task_id])
        assert self.world.unsettled(task.worktree) == set()
        self._handed_in(task, tip)

    def _has_work(self, task: Task | None) -> bool:
        return task is not None and task.worktree.is_dir() and self.world.would_commit(task.worktree)

    def _done_refusals(self, task: Task | None, by: Actor, *, wip: bool) -> Refusals:
        if task is None:
            return {errors.NotFound}
        found = self._stale(task, by)
        if task.state not in ("WORKING", "IN_REVIEW", "APPROVED"):
            found.add(errors.IllegalTransition)
        if not task.worktree.is_dir():
            found.add(errors.NotFound)
        return found or self._worktree_refusals(task, wip=wip)

    def _worktree_refusals(self, task: Task, *, wip: bool) -> Refusals:
        if not self.world.is_quiet(task):
            return {errors.WorktreeBusy}
        if self.world.unsettled(task.worktree) and not wip:
            return {errors.DirtyWorktree}
        tip = self.world.tip(task.branch_ref)
        assert tip is not None
        if not (wip and self._has_work(task)) and (tip == task.base or self.world.holds(task.target_ref, tip)):
            return {errors.NothingToReview}
        return set()

    def _handed_in(self, task: Task, tip: str) -> None:
        if task.state == "WORKING":
            task.take("done")
            task.head, task.approved = tip, None
        elif tip != task.head:
            task.supersede(tip)

    def verdict(self, task_id: TaskId, by: Actor, verdict: str) -> None:
        task = self.tasks.get(task_id)
        command = review.approve if verdict == "approve" else review.request_changes
        expected: Refusals = set()
        if task is None:
            expected.add(errors.NotFound)
        elif task.state not in ("IN_REVIEW", "APPROVED"):
            expected.add(errors.IllegalTransition)
        if by.worker == task_id:
            expected.add(errors.SelfReview)

        did = self._do(lambda: command(self.world.project, task_id, by=by, at=self.world.now()))

        if not expected and task is not None and self._superseded(task, did):
            return
        if not self._refused(did, expected):
            assert task is not None
            self._reviews += 1
            task.review(by.name, verdict, self._reviews)
            laws.bounded(did.before, did.after, task_id)
            assert did.before.desks == did.after.desks

    def _superseded(self, task: Task, did: Did) -> bool:
        """The branch has moved: the command refuses, and the new commit is in review."""
        tip = did.before.refs[task.branch_ref]
        if tip == task.head:
            return False
        assert type(did.refusal) is errors.Superseded
        assert did.before.desks == did.after.desks
        task.supersede(tip)
        laws.bounded(did.before, did.after, task.task_id)
        return True

    def ends(self, task_id: TaskId, by: Actor, verb: str) -> None:
        task = self.tasks.get(task_id)
        command = end.cancel if verb == "cancel" else end.fail
        expected: Refusals = set()
        if task is None:
            expected.add(errors.NotFound)
        else:
            expected |= self._stale(task, by)
            if task.state not in LIVE:
                expected.add(errors.IllegalTransition)

        did = self._do(lambda: command(self.world.project, task_id, by=by, at=self.world.now(), why="not wanted"))

        if not self._refused(did, expected):
            assert task is not None
            task.take(verb)
            laws.bounded(did.before, did.after, task_id)
            assert did.before.desks == did.after.desks

    def retry(self, task_id: TaskId, *, reset: bool) -> None:
        task = self.tasks.get(task_id)
        expected: Refusals = set()
        if task is None:
            expected.add(errors.NotFound)
        elif task.state not in ENDED:
            expected.add(errors.IllegalTransition)

        elif self.world.head_ref(self.world.repository) == task.branch_ref and (reset or not task.worktree.exists()):
            expected.add(errors.WorktreeBusy)

        did = self._do(
            lambda: retry.retry(self.world.project, task_id, by=COORDINATOR, at=self.world.now(), reset=reset)
        )

        if self._refused(did, expected):
            return
        assert task is not None
        task.take("retry")
        task.generation += 1
        task.head = task.approved = task.merged = None
        desk = did.before.desks.get(task_id)
        laws.bounded(did.before, did.after, task_id, [task.branch_ref] if reset else [])
        if reset:
            tip = self.world.tip(task.target_ref)
            assert tip is not None
            task.base = tip
            assert self.world.tip(task.branch_ref) == tip
            if desk is not None:
                laws.kept(self.world, desk, did.before, did.after, [tip, *self._head_of(did.before, desk)])
        if reset or desk is None:
            self._fresh_worktree(task)
        else:
            assert work(desk) == work(did.after.desks[task_id])
            assert desk.head == did.after.desks[task_id].head

    def recover(self, strays: dict[TaskId, str]) -> None:
        """Recovery has nothing to do where nothing was killed, whatever intents lie about."""
        journal = self.world.project.layout.journal
        for task_id, verb in strays.items():
            journal.mkdir(parents=True, exist_ok=True)
            (journal / f"{task_id}.json").write_text(f'{{"verb": "{verb}", "facts": {{}}}}')

        did = self._do(lambda: recover(self.world.project, at=self.world.now()))

        self._refused(did, set())
        assert set(did.result) == set(strays)
        laws.unchanged(did.before, did.after)

    def _head_of(self, facts: Facts, desk: Desk) -> list[str]:
        """The commit of a worktree's HEAD, which `Facts.commits` knows to be held still."""
        head = desk.head.removeprefix("ref: ")
        return [facts.refs[head]] if head in facts.refs else [head] if head and not head.startswith("refs/") else []
