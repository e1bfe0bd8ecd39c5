"""What is said while a worktree is made ready: the files that came along, and the setup step by step."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from conductor_git.cli.lasting import LONG_SECONDS, looked_on
from conductor_git.cli.output import narrate, took
from conductor_git.include import Included
from conductor_git.run import Run
from conductor_git.runner.setup import Listener, StepResult
from conductor_git.wording import counted

if TYPE_CHECKING:  # pydantic
    from conductor_git.config.model import SetupStep


def aloud(*, long_seconds: float = LONG_SECONDS) -> Listener:
    """Tells everything on standard error; a person at a terminal also where to look on, if a step takes long."""
    step = _Step(long_seconds)
    return Listener(_included, step.began, step.ended, step.interrupted)


def _included(came: Included) -> None:
    for note in came.notes:
        narrate("▲", note)
    what = [counted(number, noun) for number, noun in ((came.files, "ignored file"), (came.links, "link")) if number]
    if what:
        narrate("○", f"{' and '.join(what)} came along from the main checkout")


class _Step:
    """The step that is running, and what tells of its log."""

    def __init__(self, long_seconds: float) -> None:
        self._long_seconds = long_seconds
        self._running = ExitStack()

    def began(self, step: SetupStep, log: Path) -> None:
        narrate("◎", f"setup, {step.name}: {step.run}")
        self._running.enter_context(looked_on(log, long_seconds=self._long_seconds))

    def ended(self, result: StepResult) -> None:
        self._running.close()
        if result.passed:
            narrate("✓", f"{result.name} took {took(result.seconds)}")

    def interrupted(self, step: SetupStep, run: Run) -> None:
        self._running.close()
        if sys.stderr.isatty():
            print(file=sys.stderr)  # after the ^C that the terminal has written
        narrate(
            "▲", f"the setup step {step.name} was ended; {run.task_id} is there without its setup, in {run.worktree}"
        )
        narrate("↳", f"conductor-git {'resume' if run.has_agent else 'start'} {run.task_id}  # runs it first")
