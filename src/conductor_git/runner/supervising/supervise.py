"""The supervisor of a task: attempt after attempt until its worker is done, or it has a reason to give up."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import durable, journal
from conductor_git.config.model import Config
from conductor_git.errors import ConductorError, IllegalTransition, LockTimeout, SetupFailed
from conductor_git.names import TaskId
from conductor_git.process import identify
from conductor_git.project import Project
from conductor_git.readiness import expects_setup
from conductor_git.run import Attempt, Doing, End, Event, Run, State, Supervision, has_handed_in
from conductor_git.runner.calling import calling_for
from conductor_git.runner.setup import set_up
from conductor_git.runner.stop import end_left, running
from conductor_git.runner.supervising import series
from conductor_git.runner.supervising.attempt import Attempting, Prompting
from conductor_git.runner.supervising.beating import beating
from conductor_git.runner.supervising.slots import slot
from conductor_git.runner.supervising.world import World
from conductor_git.settings import project_config
from conductor_git.transition import message_of, move, note

_SUPERVISOR: Final = "supervisor"
_TAKEN_SECONDS: Final = 1.0
_ANSWER_BYTES: Final = 8 << 20
_ANSWER_CHARACTERS: Final = 16 * 1024


def supervise(project: Project, task_id: TaskId, prompting: Prompting, world: World) -> None:
    """Supervise the task until nothing is left to do, or we are told to end; at once where somebody else does.

    However it ends, no process of an attempt is left and its end is on record. Only a kill of this very process leaves
    that to the next one, which adopts a living agent.
    """
    with ExitStack() as held:
        try:
            # Whoever only looks whether somebody supervises the task holds the lock for a moment too.
            held.enter_context(durable.lock(project.layout.supervisor_lock(task_id), seconds=_TAKEN_SECONDS))
        except LockTimeout:
            return
        try:
            config = project_config(project)
        except ConductorError as bad:
            end_left(project, task_id, at=world.now())
            _give_up(project, task_id, f"the config cannot be used: {bad.message}", world)
            return
        supervisor = _Supervisor(
            project, task_id, config, Attempting(project, task_id, config, world, prompting), world
        )
        try:
            supervisor.say(Doing.ATTEMPT)
            with beating(project.layout, task_id):
                supervisor.go_on()
        finally:
            supervisor.say(None)


@dataclass(frozen=True, slots=True)
class _Supervisor:
    project: Project
    task_id: TaskId
    config: Config
    attempting: Attempting
    world: World

    def go_on(self) -> None:
        run = self.project.runs.get(self.task_id)
        left = running(run)
        if left is not None and not self._goes_on_after(self.attempting.adopt(run, left)):
            return
        while not self.world.is_told_to_end:
            run = self.project.runs.get(self.task_id)
            step = series.next_step(run, self.config.limits, self.world.now())
            if isinstance(step, series.Begin):
                if not self._attempt(step.agent):
                    return
            elif isinstance(step, series.Pause):
                self._pause(run, step)
            else:
                if isinstance(step, series.GiveUp):
                    _give_up(self.project, self.task_id, step.reason, self.world)
                return

    def _attempt(self, agent: str) -> bool:
        """One attempt, once there is a place for it; whether another may follow."""
        workers = self.config.limits.workers
        why = f"{workers} workers are at work, as many as limits.workers allows"
        with slot(self.project.layout, workers, self.world, wait=lambda: self.say(Doing.SLOT, why=why)) as is_ours:
            if not is_ours or not self._set_up() or not self._taken_up() or self.world.is_told_to_end:
                return False
            self.say(Doing.ATTEMPT)
            return self._goes_on_after(self.attempting.carry_out(agent))

    def _goes_on_after(self, attempt: Attempt) -> bool:
        run = self.project.runs.get(self.task_id)
        if attempt.end is End.EXITED and attempt.exit_code == 0:
            self._answered(run, attempt)
        return not self.world.is_told_to_end and not has_handed_in(run, attempt)

    def _set_up(self) -> bool:
        """Whether the worktree is ready for an agent: what a spawn has left to us is done first."""
        run = self.project.runs.get(self.task_id)
        if run.state not in (State.ASSIGNED, State.WORKING) or not expects_setup(
            self.project.layout, Path(run.worktree)
        ):
            return True
        self.say(Doing.SETUP, why="its worktree is being set up")
        try:
            set_up(self.project, run, give_up=lambda: self.world.is_told_to_end)
        except SetupFailed:
            return False  # and the task with it
        except ConductorError as refused:
            _give_up(self.project, self.task_id, f"the setup cannot run: {refused.message}", self.world)
            return False
        return True

    def _taken_up(self) -> bool:
        """Whether the task is the worker's: it becomes that with its first attempt."""
        run = self.project.runs.get(self.task_id)
        if run.state is not State.ASSIGNED:
            return run.state is State.WORKING
        with journal.operation(self.project.layout, self.task_id, "start"):
            move(self.project, self.task_id, Event.START, at=self.world.now(), by=_SUPERVISOR)
        return True

    def _pause(self, run: Run, step: series.Pause) -> None:
        self.say(step.doing, step.until, step.why)
        # A wait can end a moment before its time, and is the same one then.
        is_told = run.supervision is not None and run.supervision.until == step.until
        if step.doing is Doing.LIMIT and not is_told:
            words = f"{step.why}; goes on at {step.until:%Y-%m-%d %H:%M:%S} UTC"
            self.project.bus.append(message_of(run, "INFO", words, {"event": "limit"}))
        self.world.wait((step.until - self.world.now()).total_seconds())

    def say(self, doing: Doing | None, until: datetime | None = None, why: str | None = None) -> None:
        """Put on record what we are at; None: nothing any more."""
        ourselves = identify(os.getpid())
        assert ourselves is not None, "we are alive"
        now = self.world.now()
        said = None if doing is None else Supervision(ourselves, doing, now, until, why)

        def change(run: Run) -> Run:
            is_known = run.supervision is not None and said == replace(run.supervision, since=now)
            return run if is_known or run.supervision is said else replace(run, supervision=said)

        with suppress(ConductorError):  # only for those who look
            note(self.project, self.task_id, change, at=now)

    def _answered(self, run: Run, attempt: Attempt) -> None:
        """An agent that cannot edit has done its work where it has left an answer."""
        if run.state is not State.WORKING or calling_for(self.config, run, attempt.agent).adapter.edits:
            return
        path = self.project.layout.attempt(self.task_id, attempt.run_id) / "output.md"
        try:
            answer = durable.read_regular(path, _ANSWER_BYTES).decode("utf-8", "replace").strip()
        except (OSError, ConductorError):
            return
        if answer:
            with journal.operation(self.project.layout, self.task_id, "answered"):
                run = move(self.project, self.task_id, Event.ANSWERED, at=self.world.now(), by=attempt.agent)
            self.project.bus.append(message_of(run, "FACT", _shortened(answer), {"event": "answer"}, attempt.run_id))


def _shortened(answer: str) -> str:
    if len(answer) <= _ANSWER_CHARACTERS:
        return answer
    return f"{answer[:_ANSWER_CHARACTERS]}\n\n… and more in the attempt's output.md"


def _give_up(project: Project, task_id: TaskId, reason: str, world: World) -> None:
    """The task fails, unless it was handed in, cancelled or finished meanwhile, and then that stands."""
    with suppress(IllegalTransition), journal.operation(project.layout, task_id, "fail"):
        if project.runs.get(task_id).state in (State.ASSIGNED, State.WORKING):
            move(
                project,
                task_id,
                Event.FAIL,
                at=world.now(),
                by=_SUPERVISOR,
                note=reason,
                also=lambda now: replace(now, reason=reason),
            )
