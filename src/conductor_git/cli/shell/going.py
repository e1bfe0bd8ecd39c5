"""`cd` and `init --shell`, in their plain forms; imports nothing heavy."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from conductor_git.cli.here import onlooker
from conductor_git.cli.output import document, narrate, say
from conductor_git.cli.shell.scripts import SCRIPTS
from conductor_git.environment import variable
from conductor_git.errors import BadInput, NotFound
from conductor_git.names import parse_task_id

if TYPE_CHECKING:
    from conductor_git.run import Run

FUNCTION: Final = "CONDUCTOR_GIT_SHELL"
"""Set by the shell function, which then changes into what is printed."""


def cd(*, task: str | None = None, as_json: bool = False) -> None:
    """Print where the task's worktree is, or the main checkout; no command can change the directory of its shell."""
    project = onlooker().project
    place = str(project.repository) if task is None else _worktree(project.runs.get(parse_task_id(task)))
    if as_json:
        document(task_id=task, path=place)
        return
    say(place)
    if variable(FUNCTION) is None and sys.stdout.isatty():
        narrate("○", "your shell stays where it is: a program cannot change its directory, a shell function can:")
        narrate("↳", _how(Path(variable("SHELL") or "").name))


def _worktree(run: Run) -> str:
    if not Path(run.worktree).is_dir():
        raise NotFound(
            f"{run.task_id} has no worktree any more: {run.worktree} is gone",
            hint=f"conductor-git restore {run.task_id}",
            task_id=run.task_id,
            worktree=run.worktree,
        )
    return run.worktree


def _how(shell: str) -> str:
    if shell == "fish":
        return "conductor-git init --shell fish | source"
    return f'eval "$(conductor-git init --shell {shell if shell in SCRIPTS else "bash"})"'


def init(*, shell: str | None = None, yes: bool = False, as_json: bool = False) -> None:
    """Print what a shell is to read, or look at the ground of the project."""
    if shell is None:
        from conductor_git.cli.ground import begin

        begin(yes=yes, as_json=as_json)
        return
    if shell not in SCRIPTS:
        shells = ", ".join(SCRIPTS)
        hint = "conductor-git init --shell bash"
        raise BadInput(f"there is nothing for the shell {shlex.quote(shell)}, only for {shells}", hint=hint)
    if as_json:
        document(shell=shell, script=SCRIPTS[shell])
    else:
        print(SCRIPTS[shell], end="")
