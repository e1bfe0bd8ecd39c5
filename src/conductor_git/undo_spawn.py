"""Taking back a spawn that did not come to its end: what it made, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from conductor_git import durable, gitlocks, leases
from conductor_git.history import tip_of
from conductor_git.names import CommitId, TaskId
from conductor_git.pool.entry import clear_taken
from conductor_git.project import Project
from conductor_git.worktree import registrations


def remove_half_made(project: Project, task_id: TaskId, facts: Mapping[str, Any], *, killed: bool) -> None:
    """Remove the worktree, the branch and the task folder that the spawn with these `facts` made. Safe to repeat.

    With `killed`, the locks that a killed git process left go too; without, a lock that is there is somebody else's.
    The facts were written when none of the three existed, and no agent was started, so nothing in them is anybody's
    work; a branch that has moved since is left alone all the same. Call it with the task's lock held.
    """
    layout, path, ref = project.layout, Path(facts["worktree"]), f"refs/heads/{facts['branch']}"
    durable.remove(layout.run_info(task_id))  # first: from here on there is no such task, whatever a kill leaves
    with durable.lock(layout.worktree_lock, seconds=60, purpose="undo spawn"):
        if killed:
            gitlocks.clear(layout, gitlocks.ref_locks(layout, ref), label=task_id)
        for git_dir in registrations(layout.common_dir, path):
            shutil.rmtree(git_dir)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    for directory in facts.get("new_directories", ()):
        with suppress(OSError):
            Path(directory).rmdir()  # only when it is empty: a neighbour may have moved in
    if facts["new_branch"] and tip_of(project.git, ref) == facts["base_commit"]:
        project.git.run("update-ref", "--no-deref", "-d", ref, CommitId(facts["base_commit"]))
    leases.free(layout, task_id)
    clear_taken(layout)
    if layout.task(task_id).is_dir():
        shutil.rmtree(layout.task(task_id))
