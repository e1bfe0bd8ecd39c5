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
from conductor_git.run import Outcome, Run, Strategy
from conductor_git.settings import project_config
from conductor_git.workflow import end, finish, land, retry, review, spawn, start
from conductor_git.workflow.recover import recover
from tests.property import laws
from tests.property.forecast import Forecast, foresee, in_the_way
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
        assert type(did.refusal) in expected, f"{did.refusal!r} instead of {expected}"
        assert did.refusal.hint != ""
        laws.unchanged(did.before, did.after, indexes=indexes)
        return True

    def _stale(self, task: Task, by: Actor) -> Refusals:
        claimed = by.generation_for(task.task_id)
        return {errors.StaleGeneration} if claimed is not None and claimed < task.generation else set()

    # the commands

    def spawn(self, task_id: TaskId, base: str | None, target: str | None, required: int, *, existing: bool) -> None:
        world, project = self.world, self.world.project
        order = spawn.Order(task_id, base=base, target=target, reviews_required=required, existing=existing)
        head = world.head_ref(world.repository)
        landing_on = target or (head.removeprefix("refs/heads/") if head.startswith("refs/") else None)
        tip = world.tip(f"refs/heads/worker/{task_id}")
        expected = self._spawn_refusals(order, landing_on, tip)

        plan = lambda: spawn.plan(project, order, project_config(project))  # noqa: E731
        did = self._do(lambda: spawn.spawn(project, plan(), by=COORDINATOR, at=world.now()))

        if self._refused(did, expected):
            return
        assert landing_on is not None
        asked = world.tip(base or f"refs/heads/{landing_on}") if tip is None else None
        begun = asked or world.ask("merge-base", f"refs/heads/{landing_on}", str(tip))
        task = Task(task_id, landing_on, begun, world.worktrees / task_id, required)
        self.tasks[task_id] = task
        laws.bounded(did.before, did.after, task_id, [task.branch_ref])
        assert world.tip(task.branch_ref) == (tip or begun)
        self._fresh_worktree(task)

    def _spawn_refusals(self, order: spawn.Order, target: str | None, tip: str | None) -> Refusals:
        found: Refusals = set()
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
            return found | {errors.NotFound}
        if found:
            return found
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
            task.review(by.name, verdict)
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

        elif reset and self.world.head_ref(self.world.repository) == task.branch_ref:
            expected.add(errors.WorktreeBusy)
        elif not task.worktree.exists() and self.world.head_ref(self.world.repository) == task.branch_ref:
            expected.add(errors.GitFailed)

        did = self._do(
            lambda: retry.retry(self.world.project, task_id, by=COORDINATOR, at=self.world.now(), reset=reset)
        )

        if self._refused(did, expected):
            return
        assert task is not None
        task.take("retry")
        task.generation += 1
        task.head = task.approved = None
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

    # landing

    def merge(self, task_id: TaskId, strategy: str, *, cleanup: bool, dry_run: bool) -> None:
        task = self.tasks.get(task_id)
        wish = land.Wish(Strategy(strategy), cleanup=cleanup, dry_run=dry_run)
        command = lambda: land.land(self.world.project, task_id, by=COORDINATOR, at=self.world.now, wish=wish)  # noqa: E731
        if task is None or task.state != "APPROVED":
            self._merge_elsewhere(task, self._do(command), cleanup=cleanup and not dry_run)
            return
        if self.world.tip(task.branch_ref) != task.head:
            did = self._do(command)
            if dry_run:
                assert self._refused(did, {errors.Superseded})
            else:
                assert self._superseded(task, did)
            return
        forecast, dirty = foresee(self.world, task, strategy), in_the_way(self.world, task)
        did = self._do(command)
        if dry_run:
            self._dry(did, forecast)
        elif type(did.refusal) is errors.Conflict:
            self._bounced(task, did, forecast)
        elif type(did.refusal) is errors.Blocked:
            self._blocked(task, did, forecast, dirty)
        else:
            self._refused(did, set())
            self._landed(task, did, forecast, strategy, dirty)
            if cleanup:
                self._cleaned_up(task, did)
            else:
                assert did.before.desks == did.after.desks
                assert did.before.refs.get(task.branch_ref) == did.after.refs.get(task.branch_ref)

    def _merge_elsewhere(self, task: Task | None, did: Did, *, cleanup: bool) -> None:
        if task is None or task.state != "COMPLETED":
            self._refused(did, {errors.NotFound} if task is None else {errors.IllegalTransition})
            return
        self._refused(did, set())
        assert did.result.outcome is Outcome.ALREADY_LANDED
        if cleanup and task.task_id in did.before.desks:
            laws.bounded(did.before, did.after, task.task_id, [task.branch_ref])
            self._cleaned_up(task, did)
        else:
            laws.unchanged(did.before, did.after)

    def _dry(self, did: Did, forecast: Forecast) -> None:
        laws.unchanged(did.before, did.after)
        if forecast.kind != "unsure":
            assert (type(did.refusal) is errors.Conflict) == (forecast.kind == "conflict"), did.refusal
        if did.refusal is None and forecast.kind == "lands":
            assert set(did.result.paths) == forecast.paths

    def _bounced(self, task: Task, did: Did, forecast: Forecast) -> None:
        assert forecast.kind in ("conflict", "unsure")
        task.take("bounce")
        task.approved = None
        laws.bounded(did.before, did.after, task.task_id)
        assert did.before.refs == did.after.refs
        assert did.before.desks == did.after.desks

    def _blocked(self, task: Task, did: Did, forecast: Forecast, dirty: set[str]) -> None:
        assert did.refusal is not None
        assert forecast.kind in ("lands", "unsure")
        assert forecast.paths & dirty or forecast.kind == "unsure"
        assert set(did.refusal.facts["files"]) <= dirty
        assert did.refusal.facts["files"] != []
        laws.bounded(did.before, did.after, task.task_id)
        assert did.before.refs == did.after.refs
        assert did.before.desks == did.after.desks

    def _landed(self, task: Task, did: Did, forecast: Forecast, strategy: str, dirty: set[str]) -> None:
        """Exactly the approved commit is on the target, by the strategy, and a checkout of it has followed."""
        assert len(task.approvers()) >= task.required
        run: Run = did.result.run
        tip = self.world.tip(task.target_ref)
        assert tip is not None
        assert run.merge_commit == tip
        task.take("merge")
        task.merged = tip
        fresh = self._fresh_commits(task, forecast.target, tip)
        paths = frozenset(
            filter(None, self.world.ask("diff", "--name-only", "--no-renames", "-z", forecast.target, tip).split("\0"))
        )
        if tip == forecast.target:
            assert did.result.outcome is Outcome.ALREADY_LANDED
            assert forecast.kind in ("contained", "nothing", "unsure")
        else:
            assert did.result.outcome is Outcome.LANDED
            assert forecast.kind in ("lands", "unsure")
            self._is_the_approved(task, forecast, strategy, tip, fresh)
        assert paths & dirty == set()
        followed = self.world.head_ref(self.world.repository) == task.target_ref and tip != forecast.target
        laws.bounded(did.before, did.after, task.task_id, [task.target_ref, task.branch_ref], checkout=not followed)
        if followed:
            laws.fast_forwarded(self.world, did.before, did.after, tip, paths)
        self.world.targets[task.target] |= fresh

    def _fresh_commits(self, task: Task, before: str, tip: str) -> frozenset[str]:
        assert self.world.holds(tip, before), "the target went backwards"
        return self.world.holding(task.target) - frozenset(self.world.ask("rev-list", before).split("\n"))

    def _is_the_approved(self, task: Task, forecast: Forecast, strategy: str, tip: str, fresh: frozenset[str]) -> None:
        ask, approved = self.world.ask, str(task.approved)
        if forecast.kind == "lands":
            assert ask("rev-parse", f"{tip}^{{tree}}") == forecast.tree
        assert f"Task-Id: {task.task_id}" in ask("show", "-s", "--format=%B", tip)
        assert f"Approved-Commit: {approved}" in ask("show", "-s", "--format=%B", tip)
        new = ask("rev-list", approved, f"^{forecast.target}").split()
        parents = ask("show", "-s", "--format=%P", tip).split()
        if strategy == "merge":
            assert parents == [forecast.target, approved]
            assert fresh == {tip, *new}
        elif strategy == "squash":
            assert parents == [forecast.target]
        else:
            assert len(fresh) <= len(new)
            assert ask("rev-list", "--merges", f"{forecast.target}..{tip}") == ""

    def _cleaned_up(self, task: Task, did: Did) -> None:
        """The worktree is gone, the branch too where it was what landed, and nothing that was in them is."""
        assert did.result.fate.kept_because == ""
        assert not task.worktree.exists()
        assert not laws.registered(self.world, task.task_id)
        looked_at = did.before.checkout.head == f"ref: {task.branch_ref}"
        landed = did.before.refs.get(task.branch_ref) == task.head and not looked_at
        assert did.after.refs.get(task.branch_ref) == (None if landed else did.before.refs.get(task.branch_ref))
        desk = did.before.desks.get(task.task_id)
        if desk is not None:
            laws.kept(self.world, desk, did.before, did.after, [str(task.head), *self._head_of(did.before, desk)])

    def _head_of(self, facts: Facts, desk: Desk) -> list[str]:
        """The commit of a worktree's HEAD, which `Facts.commits` knows to be held still."""
        head = desk.head.removeprefix("ref: ")
        return [facts.refs[head]] if head in facts.refs else [head] if head and not head.startswith("refs/") else []
