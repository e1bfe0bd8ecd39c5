"""The push after a landing, where the config asks for one, and what is told of it."""

from __future__ import annotations

from conductor_git.project import Project
from conductor_git.run import Outcome, Run
from conductor_git.transition import message_of
from conductor_git.workflow.landing.remote import Join, push_target


def push(project: Project, remote: str, run: Run, join: Join) -> str:
    """Push the target of `run` to `remote`; returns what was said against it, empty where it went through.

    The task has landed either way: its target is never moved backwards for a remote.
    """
    pushed = push_target(project, remote, run.target_ref, join)
    if pushed.rejected:
        words = f"push to {remote} was refused: {pushed.rejected}"
        project.bus.append(message_of(run, "ERROR", words, {"outcome": str(Outcome.PUSH_REJECTED), "remote": remote}))
    return pushed.rejected
