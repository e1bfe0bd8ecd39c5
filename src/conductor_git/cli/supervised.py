"""What the supervisor of a task is at, in words."""

from __future__ import annotations

from conductor_git.run import Doing, Run


def doing(run: Run) -> str:
    """A line on what becomes of the task's agent now."""
    supervision, attempt = run.supervision, run.last_attempt
    if supervision is not None and supervision.doing is not Doing.ATTEMPT:
        until = f" until {supervision.until:%H:%M:%S} UTC" if supervision.until else ""
        return f"{run.agent} waits{until}: {supervision.why}"
    if attempt is not None and attempt.ended_at is None:
        return f"{attempt.agent} is at work; see it with: conductor-git attach {run.task_id}"
    return f"the agent of {run.task_id} has ended; see it with: conductor-git log {run.task_id}"
