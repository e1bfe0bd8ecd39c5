"""The push after a landing, where the config asks for one: plain, never forced."""

from __future__ import annotations

from conductor_git.errors import GitFailed
from conductor_git.project import Project
from conductor_git.run import Outcome, Run
from conductor_git.transition import message_of


def push(project: Project, remote: str, run: Run) -> str:
    """Push the target of `run` to `remote`; returns what was said against it, empty where it went through.

    The task has landed either way: its target is never moved backwards for a remote.
    """
    try:
        project.git.run("push", "--quiet", "--end-of-options", remote, f"{run.target_ref}:{run.target_ref}")
    except GitFailed as refused:
        words = f"push to {remote} was refused: {refused.message}"
        project.bus.append(message_of(run, "ERROR", words, {"outcome": str(Outcome.PUSH_REJECTED)}))
        return refused.message
    return ""
