"""A landing's turn on its target: nobody else lands there, and what was killed before it is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from conductor_git.landing.lease import lease
from conductor_git.project import Project
from conductor_git.workflow.landing.wish import Listener, Wish
from conductor_git.workflow.mend import mend


@contextmanager
def turn(
    project: Project, target: str, holder: str, *, wish: Wish, listener: Listener, at: Callable[[], datetime]
) -> Iterator[int]:
    """Hold the lease of `target` for `holder`; yields the descriptor that keeps it held, `LockTimeout` after the wait.

    Every command mends what was killed before it began. Who was killed while we waited in line has nobody else to do
    it, and may hold the checkout of the target.
    """
    queue = project.layout.landing_queue(target)
    with lease(queue, holder, seconds=wish.wait_seconds, waiting=listener.waiting) as held:
        mend(project, at)
        yield held
