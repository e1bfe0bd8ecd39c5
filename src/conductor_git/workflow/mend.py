"""mend: what killed commands left is finished or taken back before something else is done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from conductor_git import journal
from conductor_git.errors import ConductorError
from conductor_git.project import Project


def mend(project: Project, at: Callable[[], datetime]) -> None:
    """As `recover`, for whoever has something else to do: what cannot be mended is told by its own task's commands."""
    if journal.pending(project.layout):
        # In most cases nothing is left, and what mends is not loaded.
        from conductor_git.workflow.recover import recover

        with suppress(ConductorError):
            recover(project, at=at())
