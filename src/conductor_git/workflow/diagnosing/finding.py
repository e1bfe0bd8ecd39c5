"""A finding of `doctor`: a code, a sentence, what is at stake, and the command or `--fix` that mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from conductor_git import durable
from conductor_git.layout import Layout
from conductor_git.message import Message
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.diagnosing.codes import CODES
from conductor_git.worktree import Worktree


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    `subject` is what it is about: a task, a path, a ref, a key. `command` is what a person runs where `--fix` does not
    mend it, or to look first. `facts` is what its mender needs.
    """

    code: str
    subject: str
    sentence: str
    command: str
    task_id: TaskId | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def stake(self) -> str:
        return CODES[self.code].stake

    @property
    def is_note(self) -> bool:
        """It is for a person to know or decide, and nothing is wrong."""
        return CODES[self.code].is_note

    @property
    def is_mendable(self) -> bool:
        return CODES[self.code].is_mendable and not self.facts.get("stuck")


class Ground(NamedTuple):
    """What the findings are told from, gathered once. `told` are each task's STATE messages since its last spawn."""

    project: Project
    now: datetime
    worktrees: tuple[Worktree, ...]
    runs: tuple[Run, ...]
    unreadable: Mapping[TaskId, str]
    tips: Mapping[str, str]
    told: Mapping[TaskId, tuple[Message, ...]] | None
    """None where the bus cannot be read."""

    @property
    def layout(self) -> Layout:
        return self.project.layout

    @property
    def live(self) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if not run.state.is_final)

    @property
    def registered(self) -> frozenset[Path]:
        return frozenset(entry.path for entry in self.worktrees)


Find = Callable[[Ground], Iterator[Finding]]
Mend = Callable[[Project, Finding, datetime], str]
"""Mends the finding, or finds that it is mended already; returns in words what was done, "" for nothing."""


class Family(NamedTuple):
    """A family of findings: what finds them, and the mender of each code that has one."""

    find: Find
    menders: Mapping[str, Mend]


def set_aside(layout: Layout, path: Path, label: str) -> Path:
    """Move `path` to the quarantine, durably there before it is gone here; returns where it is."""
    import shutil
    import time

    durable.make_directory(layout.quarantine)
    there = layout.quarantine / f"{label}.{path.name}.{time.time_ns()}"
    shutil.move(path, there)
    durable.flush_directory(layout.quarantine)
    return there
