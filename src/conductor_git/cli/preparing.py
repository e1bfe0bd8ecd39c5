"""What is said while a worktree is made ready: the files that came along, and the setup step by step."""

from __future__ import annotations

from conductor_git.cli.output import narrate, took
from conductor_git.config.model import SetupStep
from conductor_git.include import Included
from conductor_git.runner.setup import Listener, StepResult
from conductor_git.wording import counted


def aloud() -> Listener:
    """Tells everything on standard error."""
    return Listener(_included, _began, _ended)


def _included(came: Included) -> None:
    for note in came.notes:
        narrate("▲", note)
    what = [counted(number, noun) for number, noun in ((came.files, "ignored file"), (came.links, "link")) if number]
    if what:
        narrate("○", f"{' and '.join(what)} came along from the main checkout")


def _began(step: SetupStep) -> None:
    narrate("◎", f"setup, {step.name}: {step.run}")


def _ended(result: StepResult) -> None:
    if result.passed:
        narrate("✓", f"{result.name} took {took(result.seconds)}")
