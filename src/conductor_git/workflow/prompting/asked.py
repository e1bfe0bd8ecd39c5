"""What a task was asked, as its prompt file has it."""

from __future__ import annotations

from typing import Final

from conductor_git import durable
from conductor_git.names import readable
from conductor_git.project import Project
from conductor_git.run import Run

PROMPT_BYTES: Final = 16 << 20
"""Of a prompt file, and of a whole prompt."""


def asked(project: Project, run: Run) -> bytes:
    """The task's prompt to the byte; its title where nobody wrote one."""
    try:
        prompt = durable.read_regular(project.layout.prompt(run.task_id), PROMPT_BYTES)
    except FileNotFoundError:
        prompt = b""
    return prompt if prompt.strip() else readable(f"{run.title}\n").encode()
