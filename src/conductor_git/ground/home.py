"""Is the repository where its worktrees were made? One that was moved or copied has paths that lead elsewhere.

Each worktree's context, kept in its git dir, says which state directory it belongs to. A repository that was moved with
everything around it says the old one, until `doctor --fix` has put things right; a copy goes on saying the original's,
and acting on that would reach into the worktrees of another repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from conductor_git import directories, durable
from conductor_git.context import LIMIT
from conductor_git.errors import RepositoryMoved, TooLarge, UnsafePath
from conductor_git.layout import CANONICAL_CONTEXT_NAME, Layout
from conductor_git.names import TaskId


def require_home(layout: Layout, task_id: TaskId) -> None:
    """`RepositoryMoved` where the worktree of the task was made by a repository in another place."""
    for entry in _entries(layout, task_id):
        said = _said(entry, task_id)
        if said is None or _same(said, layout.state_dir):
            continue
        lives = said.is_dir()
        how = f"is a copy of {said.parent}" if lives else f"was moved or copied from {said.parent}"
        raise RepositoryMoved(
            f"{layout.common_dir} {how}, and the worktree of {task_id} is known by its old place only",
            hint="conductor-git doctor" if lives else "conductor-git doctor --fix",
            task_id=task_id,
            was=str(said.parent),
            is_copy=lives,
        )


def _entries(layout: Layout, task_id: TaskId) -> Iterator[Path]:
    """The git dir of the task's worktree; by its name, which is the task's by default, else all there are."""
    likely = layout.common_dir / "worktrees" / task_id
    if (likely / CANONICAL_CONTEXT_NAME).is_file():
        yield likely
        return
    yield from directories.matching(layout.common_dir, "worktrees/*")


def _said(entry: Path, task_id: TaskId) -> Path | None:
    with suppress(OSError, UnsafePath, TooLarge, ValueError, KeyError, TypeError):
        document = json.loads(durable.read_regular(entry / CANONICAL_CONTEXT_NAME, LIMIT))
        if document["task_id"] == task_id:
            return Path(document["state_dir"])
    return None


def _same(one: Path, other: Path) -> bool:
    with suppress(OSError):
        return one.samefile(other)
    return False
