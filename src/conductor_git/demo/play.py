"""The play: the coordinator's commands in their order, each run as a person would run it, told to an audience."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from conductor_git import process
from conductor_git.bus.watching.stop import Stop
from conductor_git.demo import scratch as scratches
from conductor_git.demo import story
from conductor_git.demo.scratch import PYTHON, Scratch
from conductor_git.errors import Conflict, DemoFailed
from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.project import Project, project_at
from conductor_git.run import Event, Run, State, utcnow
from conductor_git.runner.stop import end_attempt

_SECONDS: Final = 60.0
"""The longest that one command, or one thing to wait for, may take; far above what any takes."""


class Audience(Protocol):
    """What a surface shows of the play. Called synchronously, in the order of events."""

    def act(self, title: str) -> None: ...

    def remark(self, text: str) -> None: ...

    def typing(self, command: Sequence[str]) -> None: ...

    def answered(self, out: str, err: str) -> None: ...

    def heard(self, message: Message) -> None: ...


@dataclass(slots=True)
class Play:
    """One performance. It changes nothing outside `scratch`; `seen` is the last message of the bus that was heard."""

    scratch: Scratch
    audience: Audience
    seen: str | None = None

    @property
    def project(self) -> Project:
        return project_at(self.scratch.repository / ".git", self.scratch.repository)

    def perform(self) -> None:
        """Everything from the first command to the last; `DemoFailed` at the first that is not as it should be."""
        self._open()
        self._spawn()
        self._review()
        self._land()
        self._look_back()

    def _open(self) -> None:
        self.audience.act("A repository of yours, with work of yours in it")
        self.audience.remark(f"{self.scratch.files} real files in {self.scratch.repository}")
        self.audience.remark(f"{story.PERSON} is in the middle of an edit; it must be there, untouched, at the end")
        self.git("status", "--short")
        self.audience.remark("its config names a gate, a command to run before a landing; that needs your yes")
        self.conductor("config", "trust", "--yes")

    def _spawn(self) -> None:
        self.audience.act("Four tasks, four workers: a branch, a worktree and a process each")
        for part in story.PARTS:
            agent = ("--", PYTHON, "-m", "conductor_git.demo.agent")
            self.conductor("spawn", part.task_id, "-m", part.asked, *agent)
        self.conductor("status")
        self.audience.remark("what they say, as `conductor-git bus follow` shows it:")
        missing = {part.task_id for part in story.PARTS}
        while missing:
            missing -= {self.listen_until_done(*missing)}

    def _review(self) -> None:
        self.audience.act("Review: one of them is wrong")
        wrong = story.part(story.REJECTED)
        assert wrong.wrong is not None, "the story says what is wrong with it"
        self.conductor("diff", wrong.task_id)
        number = scratches.line_of(self.scratch, f"worker/{wrong.task_id}", wrong.wrong.path, wrong.wrong.wrong)
        comment = f"{wrong.wrong.path}:{number}:{wrong.wrong.comment}"
        self.conductor("request-changes", wrong.task_id, "-m", "One character too long", "--comment", comment)
        self.audience.remark("its worker reads that in its worktree, with `conductor-git ctx`:")
        self.listen_until_done(wrong.task_id)
        for task_id in story.LANDING_ORDER:
            self.conductor("approve", task_id)

    def _land(self) -> None:
        self.audience.act("Landing: merged in memory, tested as merged, your checkout left alone")
        *smooth, last = story.LANDING_ORDER
        for task_id in smooth:
            self.conductor("merge", task_id)
        self.audience.remark(f"{last} wrote in the same place as {story.PARTS[1].task_id}, which was first:")
        self.conductor("merge", last, code=Conflict.exit_code)
        self.audience.remark("nothing has moved; its worker is told, and resolves it in its own worktree:")
        self.listen_until_done(last)
        self.conductor("approve", last)
        self.conductor("merge", last)
        self._wait_for_the_end()

    def _look_back(self) -> None:
        self.audience.act("What there is now")
        self.conductor("status", "--all")
        self.git("log", "--graph", "--format=%h %<(15)%an %s")
        self.git("worktree", "list")
        self.git("status", "--short")

    def conductor(self, *words: str, code: int = 0) -> str:
        """Run `conductor-git *words` in the main checkout, as typed; an exit code other than `code` ends the play."""
        self.audience.typing(("conductor-git", *words))
        done = self._run([sys.executable, "-m", "conductor_git", *words])
        self.audience.answered(done.out, done.err)
        self._expect(("conductor-git", *words), done, code)
        return done.out

    def ask(self, *words: str) -> Any:
        """The document that `conductor-git *words --json` prints; nobody hears of it."""
        done = self._run([sys.executable, "-m", "conductor_git", *words, "--json"])
        return json.loads(done.out)

    def git(self, *words: str) -> None:
        self.audience.typing(("git", *words))
        done = self._run(["git", *words])
        self.audience.answered(done.out, done.err)
        self._expect(("git", *words), done, 0)

    def _run(self, command: Sequence[str]) -> process.Captured:
        return process.capture(
            command, cwd=self.scratch.repository, environment=self.scratch.environment(), seconds=_SECONDS
        )

    def _expect(self, words: Sequence[str], done: process.Captured, code: int) -> None:
        if done.code != code:
            raise DemoFailed(
                f"`{shlex.join(words)}` ended with {done.code} where {code} was told",
                hint="conductor-git demo --keep",
            )

    def listen_until_done(self, *task_ids: str) -> str:
        """Let the audience hear the bus on `task_ids` until one of them is handed in, and return which.

        Goes on from the last message heard. A task that fails, or too long a silence, ends the play.
        """
        with Stop(_SECONDS) as stop:
            for message in self.project.bus.follow(self.seen, stop=stop):
                self.seen = message.msg_id
                if message.task_id not in task_ids:
                    continue
                self.audience.heard(message)
                match message.meta if message.type == "STATE" else {}:
                    case {"event": Event.DONE}:
                        return message.task_id
                    case {"to": State.FAILED}:
                        raise self._failed(message.task_id, message.body)
        raise DemoFailed(f"nothing came of {', '.join(task_ids)} in {_SECONDS:g} s", hint="conductor-git demo --keep")

    def _failed(self, task_id: str, why: str) -> DemoFailed:
        said = self._run([sys.executable, "-m", "conductor_git", "log", task_id, "--stderr"]).out
        return DemoFailed(f"the worker of {task_id} failed: {why}", hint="conductor-git demo --keep", said=said)

    def _wait_for_the_end(self) -> None:
        """Every agent ends by itself once its work has landed."""
        end = time.monotonic() + _SECONDS
        while not all(attempt.ended_at for run in self.runs() for attempt in run.attempts):
            if time.monotonic() > end:
                raise DemoFailed("an agent did not end after its work had landed", hint="conductor-git demo --keep")
            time.sleep(0.02)

    def stop_agents(self) -> None:
        """End what is still running; after a performance to its end there is nothing."""
        for run in self.project.runs.scan():
            if isinstance(run, Run):
                end_attempt(self.project, run.task_id, at=utcnow())

    def runs(self) -> tuple[Run, ...]:
        return tuple(self.project.runs.get(TaskId(part.task_id)) for part in story.PARTS)
