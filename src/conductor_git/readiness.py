"""Whether a worktree is ready for its worker: a note in its git dir is there for as long as its setup is still to run.

So whoever starts the worker finds it, whatever was killed before; and where there is no setup there is no note.
"""

from __future__ import annotations

import json
from pathlib import Path

from conductor_git import durable, worktree
from conductor_git.layout import SETUP_NAME, Layout


def expect_setup(git_dir: Path, *, starts_agent: bool) -> None:
    """Note that the setup has not run, and whether an agent is to be started after it."""
    durable.write_through(git_dir / SETUP_NAME, json.dumps({"starts_agent": starts_agent}).encode())


def expects_setup(layout: Layout, path: Path) -> bool:
    """Whether the worktree at `path` is still to be set up."""
    return (note := _note(layout, path)) is not None and note.exists()


def expects_agent(layout: Layout, path: Path) -> bool:
    """Whether an agent was to be started in the worktree at `path` once it is set up."""
    note = _note(layout, path)
    try:
        return note is not None and bool(json.loads(note.read_bytes())["starts_agent"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def is_ready(git_dir: Path) -> None:
    """Note that there is nothing more to run."""
    (git_dir / SETUP_NAME).unlink(missing_ok=True)


def _note(layout: Layout, path: Path) -> Path | None:
    git_dir = worktree.registered_git_dir(layout, path)
    return None if git_dir is None else git_dir / SETUP_NAME
