"""merge: put one approved commit on its target, exactly that commit, tested as merged, or not at all.

The steps are those of docs/landing.md. Each writes what it is about to do into the record's `landing.phase` where a
kill would otherwise leave a question, so that `recover` can tell "landed" from "not landed" by looking at the target.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import configguard, gitconfig, integration, journal
from conductor_git.actor import Actor
from conductor_git.config.model import Config
from conductor_git.errors import (
    BaseNotFound,
    Blocked,
    Conflict,
    GateFailed,
    GitFailed,
    GitKilled,
    IllegalTransition,
    Superseded,
)
from conductor_git.gitcmd import Git
from conductor_git.history import objects, tip_of, tree_of
from conductor_git.landing import gates
from conductor_git.landing.checkout import Checkout
from conductor_git.landing.lease import lease
from conductor_git.landing.mergetree import Merged, Plan, merge
from conductor_git.landing.publish import checkout_of, publish
from conductor_git.layout import CONFIG_NAME
from conductor_git.names import CommitId, TaskId, short
from conductor_git.project import Project
from conductor_git.review import approvals
from conductor_git.run import Event, GateResult, Landing, Outcome, Phase, Run, State, Strategy, next_command
from conductor_git.settings import config_in, require_trusted
from conductor_git.store.reviews import FileReviews
from conductor_git.transition import message_of, note
from conductor_git.workflow.landing import cleanup
from conductor_git.workflow.landing.outcome import block, bounce, complete
from conductor_git.workflow.landing.push import push
from conductor_git.workflow.landing.settle import settle
from conductor_git.workflow.review import require_at_head

MOVED_TARGET_TRIES: Final = 5
"""How often a landing starts over because the target moved under it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the coordinator wants the landing; None leaves the choice to the config of the target commit."""

    strategy: Strategy | None = None
    cleanup: bool = True
    wait_seconds: float = 600
    dry_run: bool = False
    trust: bool = False
    """Agree to the gates of the target's config, as `config trust` does."""


@dataclass(frozen=True, slots=True)
class Listener:
    """What a surface wants to hear while a landing is on its way. Called synchronously; must not raise."""

    waiting: Callable[[str, int], None] = lambda ahead, count: None
    gate: Callable[[GateResult], None] = lambda result: None


@dataclass(frozen=True, slots=True)
class Landed:
    """What came of a landing: the record, its outcome, and what became of worktree and branch."""

    run: Run
    outcome: Outcome
    fate: cleanup.Fate | None = None
    paths: tuple[str, ...] = ()
    push_error: str = ""


def land(
    project: Project,
    task_id: TaskId,
    *,
    by: Actor,
    at: Callable[[], datetime],
    wish: Wish | None = None,
    listener: Listener | None = None,
) -> Landed:
    """Land the approved commit of `task_id` on its target.

    Returns LANDED or ALREADY_LANDED; every other outcome is raised as its error, recorded first: `Conflict` and
    `GateFailed` send the task back to WORKING, `Blocked` leaves it APPROVED with nothing moved, `Superseded` sends it
    back to review. No checkout of a person changes, but for a fast-forward of one that has the target checked out.
    """
    wish, listener = wish or Wish(), listener or Listener()
    first = project.runs.get(task_id)
    if first.state is State.COMPLETED:
        return _landed_before(project, first, wish, at())
    _require_approved(first)
    with ExitStack() as stack:
        queue = project.layout.landing_queue(first.target)
        held = stack.enter_context(lease(queue, task_id, seconds=wish.wait_seconds, waiting=listener.waiting))
        lock = stack.enter_context(journal.operation(project.layout, task_id, "merge", seconds=wish.wait_seconds))
        landing = _Landing(project.holding(held, lock), task_id, by, at, wish, listener)
        return landing.run()


def _landed_before(project: Project, run: Run, wish: Wish, now: datetime) -> Landed:
    """Nothing to land; a worktree that an earlier landing was asked to leave is cleaned up now, unless again asked."""
    if not wish.cleanup or wish.dry_run or not Path(run.worktree).exists():
        return Landed(run, Outcome.ALREADY_LANDED)
    with journal.operation(project.layout, run.task_id, "merge") as held:
        fate = cleanup.clean_up(project.holding(held), run, at=now)
    return Landed(run, Outcome.ALREADY_LANDED, fate)


def _require_approved(run: Run) -> None:
    if run.state is not State.APPROVED:
        raise IllegalTransition(
            f"{run.task_id} is {run.state}; only an approved task can land",
            hint=next_command(run),
            task_id=run.task_id,
            state=str(run.state),
            event=str(Event.MERGE),
        )


@dataclass(frozen=True, slots=True)
class _Landing:
    """One landing with its lease and lock held."""

    project: Project
    task_id: TaskId
    by: Actor
    at: Callable[[], datetime]
    wish: Wish
    listener: Listener

    def run(self) -> Landed:
        run = self.project.runs.get(self.task_id)
        if run.state is State.COMPLETED:  # landed by the one we waited for
            return Landed(run, Outcome.ALREADY_LANDED)
        # A kill leaves its intent in the journal. A power cut can take that and leave the record, so look here too.
        run = settle(self.project, run, at=self.at())
        if run.state is State.COMPLETED and run.landing is not None:
            return self._cleaned(run, run.landing, Outcome.LANDED, ())
        _require_approved(run)
        for _ in range(MOVED_TARGET_TRIES):
            landed = self._try(run)
            if landed is not None:
                return landed
        raise Blocked(
            f"{run.target} moved {MOVED_TARGET_TRIES} times while {run.task_id} was landing; nothing was moved by us",
            hint=f"conductor-git merge {run.task_id}",
            task_id=run.task_id,
            files=[],
        )

    def _require_reviewed(self, run: Run, tip: CommitId | None, reviewers: Sequence[str]) -> None:
        require_at_head(self.project, run, tip, self.by, self.at(), look_only=self.wish.dry_run)
        count = len(reviewers)
        if run.approved_commit != run.head_commit or count < run.reviews_required:
            raise Superseded(
                f"{short(run.head_commit)} has {count} of {run.reviews_required} approvals",
                hint=f"conductor-git approve {run.task_id}",
                task_id=run.task_id,
                approved_commit=run.approved_commit,
                head_commit=run.head_commit,
            )

    def _reviewers(self, run: Run) -> tuple[str, ...]:
        reviews = FileReviews(self.project.layout).all(run.task_id)
        return approvals(reviews, run.head_commit) if run.head_commit else ()

    def _try(self, run: Run) -> Landed | None:
        """One pass over the steps; None when the target moved meanwhile, with everything as before."""
        assert run.approved_commit is not None
        # All in one process. Were the target to move in between, publishing by compare-and-swap would start over.
        ref = run.target_ref
        tip, target, config_file = objects(
            self.project.git, f"{run.branch_ref}^{{commit}}", f"{ref}^{{commit}}", f"{ref}:{CONFIG_NAME}"
        )
        reviewers = self._reviewers(run)
        self._require_reviewed(run, CommitId(tip.name) if tip else None, reviewers)
        if target is None:
            raise BaseNotFound(
                f"the target branch {run.target} does not exist any more",
                hint=f"git branch {run.target} {run.base_commit}",
                target=run.target,
            )
        before = CommitId(target.name)
        entries = integration.shared_config(self.project.git)
        looking = integration.opened(self.project.layout, self.project.git, entries)
        config = config_in(before, config_file)
        strategy = self.wish.strategy or Strategy(config.merge)
        plan = Plan(
            target=before,
            target_tree=tree_of(target),
            approved=run.approved_commit,
            strategy=strategy,
            message=_message(run),
            trailers=_trailers(run, config, reviewers),
            signs=entries.signs,
        )
        merged = self._merged(run, looking, plan)
        outcome = Outcome.ALREADY_LANDED if merged.commit == before else Outcome.LANDED
        if self.wish.dry_run:
            return Landed(run, outcome, paths=merged.paths)
        landing = replace(_landing(merged.commit, strategy), target_before=before, cleanup=self.wish.cleanup)
        if outcome is Outcome.ALREADY_LANDED:
            return self._complete(run, config, landing, outcome, merged.paths)
        landing = replace(landing, gates=self._gated(run, looking, config, merged, strategy))
        return self._publish(run, config, entries, landing, merged)

    def _merged(self, run: Run, looking: Git, plan: Plan) -> Merged:
        try:
            return merge(looking, plan)
        except Conflict as conflict:
            files = tuple(conflict.facts["files"])
            landing = replace(_landing(None, plan.strategy), target_before=plan.target, files=files)
            if not self.wish.dry_run:
                self._bounce(
                    run, landing, Outcome.CONFLICT, f"{conflict.message}\n\n{_how_to_resolve(run, plan.strategy)}"
                )
            conflict.hint = _joining(run, plan.strategy)
            conflict.facts |= {"task_id": run.task_id, "outcome": str(Outcome.CONFLICT)}
            raise

    def _gated(
        self, run: Run, looking: Git, config: Config, merged: Merged, strategy: Strategy
    ) -> tuple[GateResult, ...]:
        if not config.gates:
            return ()
        require_trusted(config, agree=self.wish.trust)
        layout = self.project.layout
        tree = layout.gates / run.task_id
        logs = layout.landing(merged.commit)
        with gates.tree_at(looking, tree, merged.commit):
            environment = gates.environment(run, merged.commit, tree)
            results = gates.run_gates(config.gates, tree, logs, environment, self._tell_gate(run))
        if results[-1].passed:
            return results
        landing = replace(_landing(merged.commit, strategy), gates=results)
        failed = results[-1]
        how = "ran into its time limit" if failed.exit_code is None else f"failed with exit code {failed.exit_code}"
        why = f"gate {failed.name} {how} on the merged tree: {failed.command}"
        self._bounce(run, landing, Outcome.GATE_FAILED, f"{why}\n\n{gates.log_end(Path(failed.log))}")
        raise GateFailed(
            why,
            hint=f"conductor-git show {run.task_id}",
            task_id=run.task_id,
            outcome=str(Outcome.GATE_FAILED),
            gate=failed.name,
            gate_exit_code=failed.exit_code,
            log=failed.log,
            log_end=gates.log_end(Path(failed.log)),
        )

    def _tell_gate(self, run: Run) -> Callable[[GateResult], None]:
        def told(result: GateResult) -> None:
            word = "passed" if result.passed else "failed"
            meta = {"gate": result.name, "exit_code": str(result.exit_code), "seconds": str(result.seconds)}
            self.project.bus.append(message_of(run, "GATE", f"gate {result.name} {word}", meta))
            self.listener.gate(result)

        return told

    def _publish(
        self, run: Run, config: Config, entries: gitconfig.Entries, landing: Landing, merged: Merged
    ) -> Landed | None:
        before = landing.target_before
        assert before is not None
        scratch = self.project.layout.landing(merged.commit)
        checkout = self._checkout(run, landing, scratch)
        if checkout is not None or config.push:
            configguard.require_same(self.project.layout, run.task_id, entries)
        landing = replace(landing, phase=Phase.PUBLISH, checkout=str(checkout.path) if checkout else None)
        run = note(self.project, run.task_id, lambda now: replace(now, landing=landing), at=self.at())
        reflog = f"conductor-git: land {run.task_id}"
        try:
            publish(self.project.git, checkout, run.target_ref, before, merged.commit, merged.changes, reflog)
        except Blocked as blocked:
            self._block(run, landing, blocked)
            raise
        except GitKilled:
            raise  # the target may have moved or not: recovery looks
        except GitFailed:
            if tip_of(self.project.git, run.target_ref) == before:
                note(self.project, run.task_id, lambda now: replace(now, landing=None), at=self.at())
                raise
            return None  # somebody else moved the target: merged and gated again
        return self._complete(run, config, landing, Outcome.LANDED, merged.paths)

    def _checkout(self, run: Run, landing: Landing, scratch: Path) -> Checkout | None:
        try:
            checkout = checkout_of(self.project.git, self.project.layout, run.target_ref, scratch)
        except Blocked as blocked:
            self._block(run, landing, blocked)
            raise
        return checkout

    def _block(self, run: Run, landing: Landing, blocked: Blocked) -> None:
        block(self.project, run, landing, blocked, at=self.at())

    def _bounce(self, run: Run, landing: Landing, outcome: Outcome, why: str) -> None:
        bounce(self.project, run, landing, outcome, why, by=self.by, at=self.at())

    def _complete(self, run: Run, config: Config, landing: Landing, outcome: Outcome, paths: tuple[str, ...]) -> Landed:
        run = complete(self.project, run, landing, outcome, by=self.by, at=self.at())
        push_error = push(self.project, config.push, run) if config.push else ""
        return self._cleaned(run, landing, outcome, paths, push_error)

    def _cleaned(
        self, run: Run, landing: Landing, outcome: Outcome, paths: tuple[str, ...], push_error: str = ""
    ) -> Landed:
        fate = cleanup.clean_up(self.project, run, at=self.at()) if landing.cleanup else None
        return Landed(run, outcome, fate, paths, push_error)


def _landing(merge_commit: CommitId | None, strategy: Strategy) -> Landing:
    return Landing(merge_commit or "", Phase.MERGE, strategy, merge_commit=merge_commit)


def _trailers(run: Run, config: Config, reviewers: Sequence[str]) -> tuple[str, ...]:
    return (
        f"Task-Id: {run.task_id}",
        *(f"Reviewed-by: {reviewer}" for reviewer in reviewers),
        f"Approved-Commit: {run.approved_commit}",
        *(f"Gate: {gate.name}" for gate in config.gates),
    )


def _message(run: Run) -> str:
    return f"Land {run.task_id}: {run.title}" + (f"\n\n{run.summary}" if run.summary else "")


def _how_to_resolve(run: Run, strategy: Strategy) -> str:
    here = f"git -C {shlex.quote(run.worktree)}"
    ending = [f"{here} commit --all --no-edit"]
    if strategy is Strategy.REBASE:
        ending = [f"{here} add --update", f"{here} -c core.editor=true rebase --continue"]
    commands = [_joining(run, strategy), "# edit the files, then", *ending, f"conductor-git done {run.task_id}"]
    return "To resolve it in the task's worktree:\n\n" + "\n".join(f"    {command}" for command in commands)


def _joining(run: Run, strategy: Strategy) -> str:
    # A merge that the worker makes would be left out again when the commits are replayed.
    verb = "rebase" if strategy is Strategy.REBASE else "merge"
    return f"git -C {shlex.quote(run.worktree)} {verb} {shlex.quote(run.target)}"
