"""A task's agent: how it is ended and goes on, and what its supervisor is at, in words; imports no Typer."""

from __future__ import annotations

from conductor_git.cli.here import here
from conductor_git.cli.output import narrate
from conductor_git.cli.plain.answering import answer_with
from conductor_git.run import Doing, Run, utcnow


def doing(run: Run) -> str:
    """A line on what becomes of the task's agent now."""
    supervision, attempt = run.supervision, run.last_attempt
    if supervision is not None and supervision.doing is not Doing.ATTEMPT:
        until = f" until {supervision.until:%H:%M:%S} UTC" if supervision.until else ""
        return f"{run.agent} waits{until}: {supervision.why}"
    if attempt is not None and attempt.ended_at is None:
        return f"{attempt.agent} is at work; see it with: conductor-git attach {run.task_id}"
    return f"the agent of {run.task_id} has ended; see it with: conductor-git log {run.task_id}"


def stop(*, task: str, as_json: bool = False) -> None:
    """End the task's agent with everything it started; branch, worktree and state stay."""
    from conductor_git.runner.stop import end_attempt

    place = here()
    task_id = place.task(task)
    was_running = end_attempt(place.project, task_id, at=utcnow())
    run = place.project.runs.get(task_id)
    answer_with(run, as_json=as_json, stopped=was_running)
    if as_json:
        return
    narrate(
        "✓" if was_running else "○", f"the agent of {task_id} " + ("was stopped" if was_running else "was not running")
    )


def resume(*, task: str | None = None, as_json: bool = False) -> None:
    """Let the task's agent go on."""
    from conductor_git.workflow.resume import resume as go_on

    place = here()
    run, was_started = go_on(place.project, place.task(task))
    answer_with(run, as_json=as_json, started=was_started)
    if as_json:
        return
    if was_started:
        narrate("◎", doing(run))
    else:
        narrate("○", f"{run.task_id} has a supervisor already: {doing(run)}")
