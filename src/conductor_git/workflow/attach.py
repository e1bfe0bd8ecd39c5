"""attach: what a task's agent says while it says it, from one attempt to the next, and what comes of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from conductor_git.bus.watching.stop import Stop
from conductor_git.bus.watching.tell import unheard
from conductor_git.bus.watching.watch import Watch
from conductor_git.errors import ConductorError, NotFound
from conductor_git.masking import mask
from conductor_git.names import RunId, TaskId
from conductor_git.processtable import is_alive
from conductor_git.project import Project
from conductor_git.run import Attempt, Doing, Run, State, Supervision
from conductor_git.runner.agents.base import Adapter, AgentEvent, Kind
from conductor_git.runner.agents.command import Command
from conductor_git.runner.agents.registry import adapter
from conductor_git.runner.agents.stream import Stream
from conductor_git.settings import project_config
from conductor_git.workflow.following import LOOK_SECONDS, Masking, Record, moments, opened, secrets, tail_start

SAID_BEFORE: Final = 40
"""So much of what was said before is told first."""
_TAIL_BYTES: Final = 256 << 10
_CHUNK: Final = 1 << 16
_LONGEST_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Began:
    """The attempt that is told of from here on; it may have ended long ago."""

    number: int
    attempt: Attempt
    run: Run


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that the agent said, without secrets; a piece of text ends with its line."""

    number: int
    event: AgentEvent


@dataclass(frozen=True, slots=True)
class Printed:
    """What the agent printed, without secrets, otherwise as it is."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Over:
    """The attempt has ended; where nobody saw how, that is not on record."""

    number: int
    attempt: Attempt
    run: Run


@dataclass(frozen=True, slots=True)
class Waits:
    """What the supervisor waits for before it goes on."""

    supervision: Supervision


@dataclass(frozen=True, slots=True)
class Left:
    """Nobody is at work on the task any more."""

    run: Run


Seen: TypeAlias = Began | Said | Printed | Over | Waits | Left


def attach(project: Project, task_id: TaskId, *, raw: bool = False, stderr: bool = False) -> Iterator[Seen]:
    """What there is to see of the task's agent from now on, after the last of what it said before.

    With `raw` its bytes instead of what they mean, with `stderr` those of its errors. Ends with `Left`: when the task
    is not its worker's any more, or no supervisor and no agent of it is left, and no attempt is under way. Changes
    nothing. `NotFound` where the task has no agent that was ever started.
    """
    record = Record(project, task_id)
    _require_agent(record.now())
    current: RunId | None = None
    waiting: Supervision | None = None
    for run in _looks(record, project.layout.run_info(task_id)):
        follows = next_attempt(run, current)
        if follows is not None:
            number, attempt = follows
            yield Began(number, attempt, run)
            yield from _told(project, record, number, attempt, _Form(raw or stderr, stderr))
            yield Over(number, _as_of(record.now(), attempt), record.now())
            current = attempt.run_id
        elif not goes_on(run):
            yield Left(run)
            return
        elif run.supervision != waiting:
            waiting = run.supervision
            if waiting is not None and waiting.doing is not Doing.ATTEMPT:
                yield Waits(waiting)


@dataclass(frozen=True, slots=True)
class _Form:
    raw: bool
    stderr: bool


def _looks(record: Record, path: Path) -> Iterator[Run]:
    """The record now, and whenever it may have changed or somebody may have gone."""
    with Watch(path, unheard) as watch:
        while True:
            watch.arm()
            yield record.now()
            with Stop(LOOK_SECONDS) as stop:
                watch.wait(stop)


def _require_agent(run: Run) -> None:
    if run.attempts or run.supervision is not None:
        return
    begins = run.has_agent and run.state in (State.ASSIGNED, State.WORKING)
    raise NotFound(
        f"no agent was started for {run.task_id} yet" if begins else f"{run.task_id} has no agent",
        hint=f"conductor-git {'resume' if begins else 'show'} {run.task_id}",
        task_id=run.task_id,
    )


def next_attempt(run: Run, current: RunId | None) -> tuple[int, Attempt] | None:
    """The attempt after `current`, with its number; the last one where there is none yet."""
    known = [attempt.run_id for attempt in run.attempts]
    if not known:
        return None
    at = len(known) - 1 if current is None else known.index(current) + 1 if current in known else 0
    return (run.attempts_before + at + 1, run.attempts[at]) if at < len(known) else None


def _as_of(run: Run, attempt: Attempt) -> Attempt:
    return next((now for now in run.attempts if now.run_id == attempt.run_id), attempt)


def goes_on(run: Run) -> bool:
    """Whether another attempt may come, or the end of the task."""
    supervision = run.supervision
    is_supervised = supervision is not None and is_alive(supervision.process)
    return is_supervised and run.state in (State.ASSIGNED, State.WORKING)


def _told(project: Project, record: Record, number: int, attempt: Attempt, form: _Form) -> Iterator[Seen]:
    folder = project.layout.attempt(record.now().task_id, attempt.run_id)
    path = folder / ("stderr.log" if form.stderr else "stdout.log")
    reader: _Raw | _Events | None = None
    with ExitStack() as held:
        for is_last in moments(record, attempt.run_id, path):
            if reader is None and (fd := opened(path)) is not None:
                # Held on to: at the attempt's end a file without secrets takes the place of this one.
                held.callback(os.close, fd)
                reader = _Raw(fd) if form.raw else _Events(fd, path, _adapter(project, record.now(), attempt), number)
            if reader is not None:
                yield from reader.read(is_last)


class _Raw:
    """The lines of a log, from the last ones on."""

    def __init__(self, fd: int) -> None:
        self._file = os.fdopen(fd, "rb", closefd=False)
        self._file.seek(tail_start(fd, _TAIL_BYTES))
        self._masking = Masking()
        self._is_first = True

    def read(self, is_last: bool) -> Iterator[Printed]:
        if self._is_first:
            self._is_first = False
            lines = self._masking.feed(self._file.read(_TAIL_BYTES)).splitlines(keepends=True)
            yield Printed(b"".join(lines[-SAID_BEFORE:]))
        while piece := self._file.read(_CHUNK):
            yield Printed(self._masking.feed(piece))
        if is_last:
            yield Printed(self._masking.rest())


class _Events:
    """What the lines of a log mean, from the last ones on."""

    def __init__(self, fd: int, path: Path, adapter: Adapter, number: int) -> None:
        self._number = number
        self._stream = Stream(path, adapter, tail_start(fd, _TAIL_BYTES), descriptor=fd)
        self._whole = WholeLines()
        self._is_first = True

    def read(self, is_last: bool) -> Iterator[Said]:
        events: Iterable[AgentEvent] = self._stream.finish() if is_last else self._stream.read()
        if self._is_first:
            self._is_first = False
            events = deque(events, SAID_BEFORE)
        yield from (Said(self._number, event) for event in self._whole.of(events))
        if is_last:
            yield from (Said(self._number, event) for event in self._whole.rest())


class WholeLines:
    """Events without their secrets. Pieces of a text wait for the end of their line, as a secret may be half there."""

    def __init__(self) -> None:
        self._secrets = secrets()
        self._held = ""

    def of(self, events: Iterable[AgentEvent]) -> Iterator[AgentEvent]:
        for event in events:
            if event.kind is Kind.TEXT and event.part:
                yield from self._pieces(event)
                continue
            if event.kind is not Kind.USAGE:
                yield from self.rest()
            yield replace(event, text=mask(event.text, self._secrets))

    def rest(self) -> Iterator[AgentEvent]:
        """What waits for more, once none comes."""
        text, self._held = self._held, ""
        if text:
            yield self._piece(text)

    def _pieces(self, event: AgentEvent) -> Iterator[AgentEvent]:
        lines, newline, self._held = f"{self._held}{event.text}".rpartition("\n")
        if newline:
            yield self._piece(lines + newline)
        if len(self._held) > _LONGEST_PIECE:
            yield from self.rest()

    def _piece(self, text: str) -> AgentEvent:
        return AgentEvent(Kind.TEXT, mask(text, self._secrets), part=True)


def _adapter(project: Project, run: Run, attempt: Attempt) -> Adapter:
    """Whoever understands what the attempt's agent says; where nobody does any more, it is taken for plain text."""
    try:
        settings = project_config(project).agents.named.get(attempt.agent)
        return adapter(attempt.agent, settings, run.command if attempt.agent == run.agent else ())
    except ConductorError:
        return Command(attempt.agent, (attempt.agent,))
