"""log: what an attempt's agent printed, whole or as it comes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conductor_git import durable
from conductor_git.errors import NotFound
from conductor_git.names import RunId, TaskId
from conductor_git.project import Project
from conductor_git.run import Attempt, Run
from conductor_git.workflow.following import Masking, Record, moments

_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class AttemptLog:
    task_id: TaskId
    run_id: RunId
    path: Path


def attempt_log(project: Project, task_id: TaskId, *, number: int | None, stderr: bool) -> AttemptLog:
    """The log of attempt `number` (from 1; None: the last), or `NotFound` where there was none."""
    run = project.runs.get(task_id)
    attempt = run.last_attempt if number is None else _numbered(run, number)
    if attempt is None:
        count = run.attempts_before + len(run.attempts)
        which = "" if number is None else f", and attempt {number} is not on record"
        raise NotFound(f"{task_id} has {count} attempts{which}", hint=f"conductor-git show {task_id}", task_id=task_id)
    folder = project.layout.attempt(task_id, attempt.run_id)
    return AttemptLog(task_id, attempt.run_id, folder / ("stderr.log" if stderr else "stdout.log"))


def _numbered(run: Run, number: int) -> Attempt | None:
    """Attempt `number` of all that there were, of which the last are on record."""
    at = number - 1 - run.attempts_before
    return run.attempts[at] if 0 <= at < len(run.attempts) else None


def pieces(project: Project, log: AttemptLog, *, follow: bool) -> Iterator[bytes]:
    """The bytes of the log without secrets, never those of a file that a link in its place leads to (`UnsafePath`);
    with `follow`, those that come until the attempt has ended too, line by line.
    """
    try:
        descriptor = durable.open_regular(log.path, os.O_RDONLY)
    except FileNotFoundError:
        return
    masking = Masking()
    with os.fdopen(descriptor, "rb") as file:
        for _ in moments(Record(project, log.task_id), log.run_id, log.path) if follow else (True,):
            while piece := file.read(_CHUNK):
                yield masking.feed(piece)
    yield masking.rest()
