"""stop, resume: a task's agent, ended and started again."""

from __future__ import annotations

import typer

from conductor_git.cli.options import Json, Task, TaskHere, panel
from conductor_git.cli.plain import supervised

app = typer.Typer()


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git stop fix-login")
def stop(task: Task, as_json: Json = False) -> None:
    """End the task's agent with everything it started; branch, worktree and state stay."""
    supervised.stop(task=task, as_json=as_json)


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git resume fix-login")
def resume(task: TaskHere = None, as_json: Json = False) -> None:
    """Let the task's agent go on: after a stop, a review that asks for changes, a bounce, or a supervisor's death.

    An agent that is still alive is adopted; else another attempt begins, which is told how things stand.
    """
    supervised.resume(task=task, as_json=as_json)
