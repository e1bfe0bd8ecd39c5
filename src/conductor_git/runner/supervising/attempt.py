"""One attempt: put on record, launched or adopted, watched, ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from conductor_git import durable, process
from conductor_git.config.model import Config
from conductor_git.errors import AgentFailed, ConductorError
from conductor_git.names import RunId, TaskId
from conductor_git.processtable import identify, is_alive
from conductor_git.project import Project
from conductor_git.run import Attempt, End, Run
from conductor_git.runner import logs, terminal
from conductor_git.runner.agents.base import Launch
from conductor_git.runner.agents.command import Command
from conductor_git.runner.agents.found import find
from conductor_git.runner.agents.stream import Stream
from conductor_git.runner.agents.tally import Tally
from conductor_git.runner.calling import Calling, calling_for
from conductor_git.runner.child import Adopted, Child, Launched
from conductor_git.runner.environment import agent_environment
from conductor_git.runner.stop import with_attempt
from conductor_git.runner.supervising.ending import Before, Seen, post, record, settle
from conductor_git.runner.supervising.watching import Watch
from conductor_git.runner.supervising.world import World
from conductor_git.transition import note

Prompting: TypeAlias = Callable[[Project, Run, bool], bytes]
"""Makes the prompt of the attempt that is about to begin; told whether its agent can edit."""


class _ToldToEnd(Exception):
    """Somebody has asked us to end before there was a process."""


@dataclass(frozen=True, slots=True)
class Attempting:
    """What attempts of a task need."""

    project: Project
    task_id: TaskId
    config: Config
    world: World
    prompting: Prompting

    def carry_out(self, agent: str) -> Attempt:
        """One attempt by `agent`, from its entry on record to its recorded end; only a kill of ours leaves it open."""
        run, attempt = self._entered(agent)
        before = Before.now(self.project)
        try:
            called = calling_for(self.config, run, agent)
            child, attempt = self._launched(run, attempt, called)
        except _ToldToEnd:
            return self._unlaunched(run, attempt, End.STOPPED)
        except (ConductorError, OSError) as failed:
            why = failed.message if isinstance(failed, ConductorError) else str(failed)
            return self._unlaunched(run, attempt, End.UNSTARTABLE, why)
        post(self.project, run, "RUN_START", f"{agent} started", attempt)
        return self._watched(run, attempt, child, called, before)

    def adopt(self, run: Run, attempt: Attempt) -> Attempt:
        """Go on with an attempt that another supervisor began, or put on record that it is gone."""
        alive = attempt.process
        if alive is None or not is_alive(alive):
            # Killed between the start of its process and the record of it, it may have one that nobody knows.
            return self._unlaunched(run, attempt, End.LOST)
        adopted = replace(attempt, supervisor=identify(os.getpid()))
        self._note(adopted)
        try:
            called = calling_for(self.config, run, attempt.agent)
        except ConductorError:
            # It is at work, whatever the config says of it by now: what it prints is taken as text.
            called = Calling(Command(attempt.agent, (attempt.agent,)))
        folder = self.project.layout.attempt(self.task_id, attempt.run_id)
        child: Child = Adopted(alive)
        if attempt.terminal is not None:
            child = terminal.Attended(self.project, self.task_id, alive, folder)
        return self._watched(run, adopted, child, called, Before.now(self.project))

    def _unlaunched(self, run: Run, attempt: Attempt, end: End, why: str | None = None) -> Attempt:
        """Put on record how an attempt ended whose process we know nothing of; should it have one, that ends too."""
        process.end_group(0, attempt.run_id, grace=0)
        logs.seal_all(self.project.layout.attempt(self.task_id, attempt.run_id))
        ended = replace(attempt, end=end, why=why)
        record(self.project, run, ended, self.world)
        return ended

    def _entered(self, agent: str) -> tuple[Run, Attempt]:
        now = self.world.now()
        run = self.project.runs.get(self.task_id)
        number = run.attempts_before + len(run.attempts) + 1
        attempt = Attempt(
            run_id=RunId(f"{now.strftime('%Y%m%d-%H%M%S%f')}-{os.getpid()}-{number}"),
            agent=agent,
            pid=None,
            pid_started=None,
            pgid=None,
            started_at=now,
            supervisor=identify(os.getpid()),
        )
        return self._note(attempt), attempt

    def _launched(self, run: Run, attempt: Attempt, called: Calling) -> tuple[Child, Attempt]:
        folder = self.project.layout.attempt(self.task_id, attempt.run_id)
        durable.make_directory(folder)
        attended = self.config.terminal == "tmux"
        prompt = folder / "prompt.md"
        durable.write_through(prompt, self.prompting(self.project, run, called.adapter.edits))
        # A worktree's index and HEAD, and every object, are git's own, outside of the worktree.
        writable = (self.project.layout.common_dir,)
        asked = called.ask(prompt, Path(run.worktree), folder / "output.md", writable=writable, attended=attended)
        launch = called.adapter.launch(asked)
        environment = {
            **agent_environment(self.project, run, attempt.run_id, called.keys),
            **launch.environment,
        }
        found = find(called.adapter, environment, remember=True)
        if found.problem:
            raise AgentFailed(found.problem, hint="conductor-git agents --check")
        if self.world.is_told_to_end:
            raise _ToldToEnd
        child = self._start(run, launch, environment, folder, attended=attended)
        attempt = replace(
            attempt,
            agent_version=found.version or None,
            pid=child.process.pid,
            pid_started=child.process.started,
            pgid=child.process.pid,
            terminal=terminal.session(self.project, self.task_id) if attended else None,
        )
        self._note(attempt)
        return child, attempt

    def _start(self, run: Run, launch: Launch, environment: dict[str, str], folder: Path, *, attended: bool) -> Child:
        if attended:
            return terminal.start(self.project, run, launch, environment, folder)
        return Launched(
            process.launch(
                launch.command,
                cwd=Path(run.worktree),
                environment=environment,
                stdout=folder / "stdout.log",
                stderr=folder / "stderr.log",
                stdin=launch.stdin,
            )
        )

    def _watched(self, run: Run, attempt: Attempt, child: Child, called: Calling, before: Before) -> Attempt:
        folder = self.project.layout.attempt(self.task_id, attempt.run_id)
        stream, tally = Stream(folder / "stdout.log", called.adapter), Tally()
        watch = Watch(self.project, run, attempt, child, self.world, self.config.limits, stream, tally)
        end = watch.until_over()
        return settle(self.project, Seen(run, attempt, child, stream, tally), end, self.world, before)

    def _note(self, attempt: Attempt) -> Run:
        return note(self.project, self.task_id, lambda now: with_attempt(now, attempt), at=self.world.now())
