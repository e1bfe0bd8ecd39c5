"""merge, next to what plain git says it should come to."""

from __future__ import annotations

from conductor_git import errors
from conductor_git.actor import COORDINATOR
from conductor_git.names import TaskId
from conductor_git.run import Outcome, Run, Strategy
from conductor_git.workflow import land
from conductor_git.workflow.landing.cleanup import Fate
from conductor_git.workflow.landing.wish import Landed, Wish
from tests.property import laws
from tests.property.forecast import Forecast, changed_paths, foresee, in_the_way
from tests.property.model import Task, lacking
from tests.property.session import Did, Session


class LandingSession(Session):
    """A session that can land as well."""

    def merge(self, task_id: TaskId, strategy: str, *, cleanup: bool, dry_run: bool) -> None:
        task = self.tasks.get(task_id)
        wish = Wish(Strategy(strategy), cleanup=cleanup, dry_run=dry_run, trust=True)

        def command() -> Landed:
            return land.land(self.world.project, task_id, by=COORDINATOR, at=self.world.now, wish=wish)

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
        if lacking(task, self.tasks):
            assert self._refused(self._do(command), {errors.NeedsUnmet})
            return
        forecast, dirty = foresee(self.world, task, strategy), in_the_way(self.world, task)
        did = self._do(command)
        if dry_run:
            self._dry(did, forecast)
        elif type(did.refusal) in (errors.Conflict, errors.GateFailed):
            self._bounced(task, did, forecast)
        elif type(did.refusal) is errors.Blocked:
            self._blocked(task, did, forecast, dirty)
        else:
            self._refused(did, set())
            self._landed(task, did, forecast, strategy, dirty)
            if cleanup:
                self._cleaned_up(task, did, did.result.fate)
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
            self._cleaned_up(task, did, did.result.fate)
        else:
            laws.unchanged(did.before, did.after)

    def _dry(self, did: Did, forecast: Forecast) -> None:
        laws.unchanged(did.before, did.after)
        if forecast.kind != "unsure":
            assert (type(did.refusal) is errors.Conflict) == (forecast.kind == "conflict"), did.refusal
        if did.refusal is None and forecast.kind == "lands":
            assert set(did.result.paths) == forecast.paths

    def _bounced(self, task: Task, did: Did, forecast: Forecast) -> None:
        if type(did.refusal) is errors.Conflict:
            assert forecast.kind in ("conflict", "unsure")
        else:
            assert forecast.is_red or forecast.kind == "unsure"
            landing = self.world.project.runs.get(task.task_id).landing
            assert landing is not None
            assert self.world.is_red(landing.landing_id)
        task.bounce()
        laws.bounded(did.before, did.after, task.task_id)
        assert did.before.refs == did.after.refs
        assert did.before.desks == did.after.desks

    def _blocked(self, task: Task, did: Did, forecast: Forecast, dirty: set[str]) -> None:
        assert did.refusal is not None
        assert forecast.kind in ("lands", "unsure")
        assert not forecast.is_red
        assert forecast.paths & dirty or forecast.kind == "unsure"
        assert set(did.refusal.facts["files"]) <= dirty, (did.refusal, dirty)
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
        task.merged, task.landed_on = tip, None if tip == forecast.target else forecast.target
        fresh = self._fresh_commits(task, forecast.target, tip)
        paths = changed_paths(self.world, forecast.target, tip)
        if tip == forecast.target:
            assert did.result.outcome is Outcome.ALREADY_LANDED
            assert forecast.kind in ("contained", "nothing", "unsure")
        else:
            assert did.result.outcome is Outcome.LANDED
            assert forecast.kind in ("lands", "unsure")
            assert not self.world.is_red(tip)
            self._is_the_approved(task, forecast, strategy, tip, fresh)
        assert paths & dirty <= laws.staged_as_landed(did.before, did.after, paths)
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

    def _cleaned_up(self, task: Task, did: Did, fate: Fate | None) -> None:
        """The worktree is gone, the branch too where it was what landed, and nothing that was in them is."""
        assert fate is not None
        assert fate.kept_because == ""
        assert not task.worktree.exists()
        assert not laws.registered(self.world, task.task_id)
        looked_at = did.before.checkout.head == f"ref: {task.branch_ref}"
        landed = did.before.refs.get(task.branch_ref) == task.head and not looked_at
        assert did.after.refs.get(task.branch_ref) == (None if landed else did.before.refs.get(task.branch_ref))
        desk = did.before.desks.get(task.task_id)
        if desk is not None:
            laws.kept(self.world, desk, did.before, did.after, [str(task.head), *self._head_of(did.before, desk)])
