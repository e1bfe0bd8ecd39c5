"""What of a landed task's files goes on to another: directories that git ignores as a whole, and nothing else.

It is moved into a worktree that was made anew, so nothing comes along that is not named here: no file of the task, no
setting of its git, no `.env` (an ignored file by itself is nobody's cache), and nothing that `include` brings.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from conductor_git import brought, durable
from conductor_git.gitcmd import Git
from conductor_git.integration import looking_at
from conductor_git.pool.place import open_up

_BOUND: Final = frozenset({"pyvenv.cfg", "CMakeCache.txt"})
"""Files that say that the directory around them works in the place where it was made only."""
_NEVER: Final = frozenset({".git", ".claude", ".codex", ".gemini"})
"""The settings of agents say what these run: a former worker's would run for the next one."""


def move_caches(integration: Git, used: Path, fresh: Path, git_dir: Path, include: Path | None) -> int:
    """Move the ignored directories of `used` into the worktree `fresh`, and return how many there were.

    git lists them through the integration repository: no setting of the former worker is obeyed, and what it made
    ignored itself counts only where the target's own rules ignore it too. Afterwards git sees nothing in `fresh` that
    it does not ignore.
    """
    open_up(used)
    with looking_at(integration, used, git_dir / "index") as looking:
        if include is not None:
            _drop_included(looking, used, include)
        found = looking.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory").fields
    names = [name.rstrip("/") for name in found if name.endswith("/")]
    moved = [name for name in names if _is_cache(used, name) and _moves(used, fresh, name)]
    _take_back_what_shows(integration, fresh, git_dir, moved)
    kept = [name for name in moved if (fresh / name).is_dir()]
    # They can be had again, and were salvaged where that was to be: the next landing leaves them alone.
    brought.remember(git_dir, fresh, (path for name in kept for path in _files(fresh, name)))
    return len(kept)


def _drop_included(looking: Git, used: Path, include: Path) -> None:
    """Each task gets its own copy of these, so that none has a secret that another wrote into one."""
    listed = looking.run("ls-files", "-z", "--others", "--ignored", f"--exclude-from={include}").fields
    for name in listed:
        file = used / name
        if not _is_below_link(used, name) and file.is_dir() and not file.is_symlink():
            shutil.rmtree(file, ignore_errors=True)
        elif not _is_below_link(used, name):
            file.unlink(missing_ok=True)


def _is_cache(used: Path, name: str) -> bool:
    """Whether the directory can be moved as it is; what works in one place only is removed from it first."""
    top = used / name
    if top.is_symlink() or _is_below_link(used, name) or _NEVER.intersection(Path(name).parts):
        return False
    for directory, folders, files in os.walk(top):
        if ".git" in folders or ".git" in files or _BOUND.intersection(files):
            folders.clear()
            shutil.rmtree(directory, ignore_errors=True)
    return top.is_dir()


def _moves(used: Path, fresh: Path, name: str) -> bool:
    there = fresh / name
    if os.path.lexists(there) or _is_below_link(fresh, name) or not there.parent.is_dir():
        return False
    with suppress(OSError):
        durable.move(used / name, there)
        return True
    return False


def _is_below_link(top: Path, name: str) -> bool:
    """Whether a directory on the way from `top` to `name` is a symbolic link, which would lead elsewhere."""
    parts = Path(name).parts[:-1]
    return any(top.joinpath(*parts[: count + 1]).is_symlink() for count in range(len(parts)))


def _take_back_what_shows(integration: Git, fresh: Path, git_dir: Path, moved: list[str]) -> None:
    with looking_at(integration, fresh, git_dir / "index") as looking:
        shown = looking.run("ls-files", "-z", "--others", "--exclude-standard").fields
    for name in moved:
        if any(path.startswith(f"{name}/") for path in shown):
            shutil.rmtree(fresh / name)


def _files(top: Path, name: str) -> Iterator[str]:
    for directory, _, files in os.walk(top / name):
        yield from (os.path.relpath(Path(directory) / file, top) for file in files)
