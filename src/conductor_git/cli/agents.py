"""stop: end a task's agent."""

from __future__ import annotations

import typer

from conductor_git.cli.documents import task_document
from conductor_git.cli.here import here
from conductor_git.cli.options import Json, Task, panel
from conductor_git.cli.output import answer, document, narrate
from conductor_git.run import utcnow

app = typer.Typer()


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git stop fix-login")
def stop(task: Task, as_json: Json = False) -> None:
    """End the task's agent with everything it started; branch, worktree and state stay."""
    from conductor_git.runner.stop import end_attempt

    place = here()
    task_id = place.task(task)
    was_running = end_attempt(place.project, task_id, at=utcnow())
    run = place.project.runs.get(task_id)
    if as_json:
        document(task=task_document(run), stopped=was_running)
        return
    answer(f"{task_id} {run.state}")
    narrate(
        "✓" if was_running else "○", f"the agent of {task_id} " + ("was stopped" if was_running else "was not running")
    )
