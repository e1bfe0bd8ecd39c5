"""merge without a task, and undo: what may come of each task, and what of all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from conductor_git import errors
from conductor_git.actor import COORDINATOR
from conductor_git.names import TaskId
from conductor_git.run import Landing, Outcome, Strategy
from conductor_git.workflow import queue, restore, undo
from conductor_git.workflow.landing.wish import Landed, Refused, Wish
from tests.property import laws
from tests.property.forecast import Forecast, changed_paths, foresee, foresee_undo, in_the_way
from tests.property.landing import LandingSession
from tests.property.model import Task, lacking
from tests.property.model import queue as expected_queue
from tests.property.session import Did, Refusals

TARGETS: Final = ("main", "side")
_IN_THE_WAY: Final = {errors.InTheWay, errors.WorktreeBusy}


class QueueSession(LandingSession):
    """A session that can land all that is approved, and take landings back."""

    def prioritise(self, task_id: TaskId, priority: int) -> None:
        task = self.tasks.get(task_id)
        expected: Refusals = set()
        if task is None:
            expected.add(errors.NotFound)
        elif task.state in ("COMPLETED", "FAILED", "CANCELLED"):
            expected.add(errors.IllegalTransition)
        project = self.world.project

        did = self._do(lambda: queue.prioritise(project, task_id, priority, at=self.world.now()))

        if not self._refused(did, expected):
            assert task is not None
            task.priority = priority
            laws.bounded(did.before, did.after, task_id)
            assert did.before.desks == did.after.desks

    # the queue

    def process(self, strategy: str, *, cleanup: bool) -> None:
        world = self.world
        order = {target: expected_queue(self.tasks, target) for target in TARGETS}
        before = {target: world.tips(target) for target in TARGETS}
        dirty = {name: in_the_way(world, task) for name, task in self.tasks.items()}
        shown = {name: [run.task_id for run in found.ready] for name, found in queue.queues(world.project).items()}
        assert shown == {target: names for target, names in order.items() if target in shown}
        assert all(target in shown for target, names in order.items() if names)
        wish = Wish(Strategy(strategy), cleanup=cleanup, trust=True)

        did = self._do(lambda: queue.process(world.project, by=COORDINATOR, at=world.now, wish=wish))

        self._refused(did, set())
        approved = {name for name, task in self.tasks.items() if task.state == "APPROVED"}
        results: Sequence[Landed | Refused] = did.result.results
        assert [result.run.task_id for result in results if result.run.task_id not in approved] == []
        for result in results:
            self._decided(result, did, strategy, dirty[result.run.task_id], cleanup=cleanup)
        for name in approved - {str(result.run.task_id) for result in results}:
            assert lacking(self.tasks[name], self.tasks), f"{name} was passed over"
        fresh = {target: world.tips(target)[len(before[target]) :] for target in TARGETS}
        self._published_green(fresh)
        self._in_order(results, order)
        self._bounded_by(did, results, fresh)

    def _decided(self, result: Landed | Refused, did: Did, strategy: str, dirty: set[str], *, cleanup: bool) -> None:
        task = self.tasks[result.run.task_id]
        if isinstance(result, Landed):
            self._landed_by_queue(task, result, did, strategy, dirty)
            if cleanup:
                self._cleaned_up(task, did, result.fate)
            else:
                assert did.before.refs.get(task.branch_ref) == did.after.refs.get(task.branch_ref)
            return
        landing = self.world.project.runs.get(task.task_id).landing
        match result.error:
            case errors.Superseded():
                tip = did.before.refs[task.branch_ref]
                assert tip != task.head
                task.supersede(tip)
            case errors.NeedsUnmet():
                assert lacking(task, self.tasks)
            case errors.Blocked():
                assert set(result.error.facts["files"]) <= dirty
                assert result.error.facts["files"] != []
            case errors.Conflict() | errors.GateFailed():
                self._sent_back(task, result.error, landing, strategy)
            case error:
                raise AssertionError(f"refused for no reason: {error!r}") from error

    def _landed_by_queue(self, task: Task, result: Landed, did: Did, strategy: str, dirty: set[str]) -> None:
        """As `_landed`, on what the record says that it was put on."""
        run, world = result.run, self.world
        assert len(task.approvers()) >= task.required
        assert lacking(task, self.tasks) == set()
        assert run.landing is not None
        assert run.landing.target_before is not None
        assert run.merge_commit is not None
        below, tip = str(run.landing.target_before), str(run.merge_commit)
        assert tip in world.holding(task.target)
        forecast = foresee(world, task, strategy, below)
        task.take("merge")
        task.merged = tip
        if result.outcome is Outcome.ALREADY_LANDED:
            task.landed_on = None
            assert tip == below
            assert forecast.kind in ("contained", "nothing", "unsure")
            return
        task.landed_on = below
        assert forecast.kind in ("lands", "unsure")
        fresh = frozenset(world.ask("rev-list", tip, f"^{below}").split())
        self._is_the_approved(task, forecast, strategy, tip, fresh)
        paths = changed_paths(world, below, tip)
        assert paths & dirty <= laws.staged_as_landed(did.before, did.after, paths)
        world.targets[task.target] |= fresh

    def _sent_back(self, task: Task, error: errors.ConductorError, landing: Landing | None, strategy: str) -> None:
        """It conflicts with the target as it was, or is red on top of it: with nothing in between that did not land."""
        assert landing is not None
        assert landing.target_before in self.world.tips(task.target)
        forecast = foresee(self.world, task, strategy, landing.target_before)
        if isinstance(error, errors.Conflict):
            assert forecast.kind in ("conflict", "unsure")
        else:
            assert forecast.is_red or forecast.kind == "unsure"
            assert self.world.is_red(str(landing.merge_commit))
            assert landing.merge_commit not in self.world.holding(task.target)
        task.bounce()

    def _published_green(self, fresh: dict[str, list[str]]) -> None:
        for target, tips in fresh.items():
            assert [tip for tip in tips if self.world.is_red(tip)] == [], f"something red was on {target}"

    def _in_order(self, results: Sequence[Landed | Refused], order: dict[str, list[str]]) -> None:
        """Those that went to the target together went in the order of the queue."""
        together: dict[str, list[Landed]] = {}
        for result in results:
            if isinstance(result, Landed) and result.outcome is Outcome.LANDED:
                assert result.run.landing is not None
                together.setdefault(result.run.landing.landing_id, []).append(result)
        for batch in together.values():
            places = [order[one.run.target].index(one.run.task_id) for one in batch if one.run.landing]
            assert places == sorted(places)
            for one, other in pairwise(batch):
                assert other.run.landing is not None
                assert other.run.landing.target_before == one.run.merge_commit

    def _bounded_by(self, did: Did, results: Sequence[Landed | Refused], fresh: dict[str, list[str]]) -> None:
        world, tasks = self.world, [self.tasks[result.run.task_id] for result in results]
        moved = {f"refs/heads/{target}" for target, tips in fresh.items() if tips}
        here = world.head_ref(world.repository)
        refs = {*moved, *(task.branch_ref for task in tasks)}
        laws.bounded_all(did.before, did.after, [task.task_id for task in tasks], refs, checkout=here not in moved)
        if here in moved:
            tip = did.after.refs[here]
            paths = changed_paths(world, did.before.refs[here], tip)
            laws.fast_forwarded(world, did.before, did.after, tip, paths)

    # undo

    def undo(self, task_id: TaskId) -> None:
        task, world = self.tasks.get(task_id), self.world
        expected: Refusals = set()
        if task is None:
            expected.add(errors.NotFound)
        elif task.state != "COMPLETED":
            expected.add(errors.IllegalTransition)
        elif task.landed_on is None:
            expected.add(errors.NothingToUndo)

        def command() -> undo.Undone:
            return undo.undo(world.project, task_id, by=COORDINATOR, at=world.now, wish=Wish(trust=True))

        if expected or task is None:
            assert self._refused(self._do(command), expected)
            return
        forecast, dirty = foresee_undo(world, task), in_the_way(world, task)
        had = world.tip(task.branch_ref)
        did = self._do(command)
        if forecast.kind != "lands":
            reason = errors.Conflict if forecast.kind == "conflict" else errors.NothingToUndo
            assert self._refused(did, {reason})
        elif forecast.is_red or (forecast.paths & dirty and did.refusal is not None):
            assert type(did.refusal) is (errors.GateFailed if forecast.is_red else errors.Blocked), did.refusal
            laws.bounded(did.before, did.after, task_id)
            assert did.before.refs == did.after.refs
            assert did.before.desks == did.after.desks
        else:
            self._refused(did, set())
            self._taken_back(task, did, forecast, had, dirty)

    def _taken_back(self, task: Task, did: Did, forecast: Forecast, had: str | None, dirty: set[str]) -> None:
        world = self.world
        tip = world.tip(task.target_ref)
        assert tip is not None
        before, paths = forecast.target, forecast.paths
        assert paths & dirty <= laws.staged_as_landed(did.before, did.after, paths)
        assert world.ask("show", "-s", "--format=%P %T", tip) == f"{before} {forecast.tree}"
        task.take("undo")
        task.approved = None
        world.targets[task.target] |= {tip}
        branch = world.tip(task.branch_ref)
        if had is None:
            assert branch is not None
            assert world.ask("show", "-s", "--format=%P %T", branch) == (
                f"{tip} {world.ask('rev-parse', f'{before}^{{tree}}')}"
            )
            task.base = tip
        else:
            assert branch == had
        assert did.before.desks == did.after.desks
        followed = world.head_ref(world.repository) == task.target_ref
        refs = [task.target_ref, task.branch_ref]
        laws.bounded(did.before, did.after, task.task_id, refs, checkout=not followed)
        if followed:
            laws.fast_forwarded(world, did.before, did.after, tip, paths)

    # restore

    def restore(self, task_id: TaskId) -> None:
        """What comes back is for others to test; here, that nothing is overwritten and nothing else changes."""
        task, world = self.tasks.get(task_id), self.world
        had = world.tip(task.branch_ref) if task else None

        did = self._do(lambda: restore.restore(world.project, task_id, at=world.now()))

        if did.refusal is not None:
            kinds: Refusals = {errors.NotFound} if task is None else {errors.NotFound, *_IN_THE_WAY}
            assert self._refused(did, kinds)
            return
        assert task is not None
        laws.bounded(did.before, did.after, task_id, [] if had else [task.branch_ref])
        before, after = did.before.desks.get(task_id), did.after.desks[task_id]
        assert laws.registered(world, task_id)
        if before is not None:
            assert before.files.items() <= after.files.items()
