"""stop, resume: a task's agent, ended and started again."""

from __future__ import annotations

import typer

from conductor_git.cli.documents import task_document
from conductor_git.cli.here import here
from conductor_git.cli.options import Json, Task, TaskHere, panel
from conductor_git.cli.output import answer, document, narrate
from conductor_git.cli.supervised import doing
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


@app.command(rich_help_panel=panel("work"), epilog="Example: conductor-git resume fix-login")
def resume(task: TaskHere = None, as_json: Json = False) -> None:
    """Let the task's agent go on: after a stop, a review that asks for changes, a bounce, or a supervisor's death.

    An agent that is still alive is adopted; else another attempt begins, which is told how things stand.
    """
    from conductor_git.workflow.resume import resume as go_on

    place = here()
    run, was_started = go_on(place.project, place.task(task))
    if as_json:
        document(task=task_document(run), started=was_started)
        return
    answer(f"{run.task_id} {run.state}")
    if was_started:
        narrate("◎", doing(run))
    else:
        narrate("○", f"{run.task_id} has a supervisor already: {doing(run)}")
