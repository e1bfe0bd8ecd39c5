"""Taking a worktree from the pool: two renames, and git brings it to the branch."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.errors import GitFailed, GitKilled, TooLarge, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.ground.files import Files
from conductor_git.layout import Layout
from conductor_git.names import CommitId
from conductor_git.pool.entry import (
    Entry,
    State,
    clear_taken,
    discard,
    drop,
    drop_folder,
    entries,
    is_in_use,
    pass_over,
    withdraw,
    write,
)
from conductor_git.processtable import standing_in

_SMALL: Final = 1 << 16
_IN_THE_WAY: Final = ("locked", "index.lock", "HEAD.lock", "modules")
"""What in an entry's git dir keeps it from being taken: a person's lock, git at work, submodules (their git dirs hold
paths that a move would break)."""


def take(git: Git, layout: Layout, path: Path, *, branch: str, commit: CommitId, files: Files) -> Entry | None:
    """Make `path` a worktree of the new `branch` out of the pool; None where that cannot be, and nothing is made.

    What was deleted, locked, written into, or has a process in it is passed over. A worktree that was taken is one that
    was just made: the same files, index and HEAD, plus the build caches of `keep_ignored`. A change of a tracked file
    in its place, by somebody who wrote into the pool, is told by `git status` and not seen here. After a kill the
    journal of the spawn undoes what arrived, and `clear_taken` the rest.
    """
    if not is_in_use(layout):
        return None
    clear_taken(layout)
    entry = _moved(layout, path, commit, files)
    if entry is None:
        return None
    try:
        _bring(git, entry, path, branch, commit, files)
    except GitKilled:
        raise
    except GitFailed:
        # Whatever it was: the ordinary way says it better, or gets by without it.
        with durable.lock(layout.worktree_lock, seconds=60, purpose="put a pool entry away"):
            withdraw(layout, entry, path)
        return None
    return entry


def _moved(layout: Layout, path: Path, commit: CommitId, files: Files) -> Entry | None:
    """The entry whose files and registration are at `path` now; the nearest to `commit` first."""
    durable.make_directory(path.parent)
    with durable.lock(layout.worktree_lock, seconds=60, purpose="take from the pool"):
        there = entries(layout, State.READY)
        ready = [entry for entry in there if entry.made_by == repr(files)]
        for entry in sorted(ready, key=lambda one: (one.commit != commit, not one.warm)):
            if is_as_made(layout, entry):
                with suppress(OSError):
                    _move(layout, entry, path)
                    return entry
        if there:
            pass_over(layout)
    return None


def _move(layout: Layout, entry: Entry, path: Path) -> None:
    """First the record says where it goes, then the registration, then it is there."""
    git_dir = Path(entry.git_dir)
    going = replace(entry, to=str(path))
    write(layout, going, State.TAKEN)
    drop(layout, entry, State.READY)
    (git_dir / "logs" / "HEAD").unlink(missing_ok=True)  # of what HEAD was in the pool
    durable.write_through(git_dir / "gitdir", os.fsencode(f"{path / '.git'}\n"))
    try:
        durable.move(Path(entry.path), path)
    except OSError:
        durable.write_through(git_dir / "gitdir", os.fsencode(f"{Path(entry.path) / '.git'}\n"))
        discard(layout, going, State.TAKEN)
        raise
    drop_folder(Path(entry.path))
    drop(layout, going, State.TAKEN)


def _bring(git: Git, entry: Entry, path: Path, branch: str, commit: CommitId, files: Files) -> None:
    """Bring files, index and HEAD from the entry's commit to `branch`, which comes last; of the files what differs."""
    # Without preloading git looks at the files that differ, and not at every one.
    inside = replace(git, cwd=path, git_dir=None, transports=True, config={**git.config, "core.preloadIndex": "false"})
    ref = f"refs/heads/{branch}"
    if commit != entry.commit:
        inside.run(
            "read-tree", "-m", "-u", "--no-recurse-submodules", str(entry.commit), commit, extra=files.environment
        )
    inside.run("symbolic-ref", "HEAD", ref)
    inside.run("update-ref", "-m", f"branch: Created from {commit}", ref, commit, "0" * len(commit))


def is_as_made(layout: Layout, entry: Entry) -> bool:
    """Whether what is on the disk is what the record says, so far as that can be seen without reading every file."""
    path, git_dir = Path(entry.path), Path(entry.git_dir)
    try:
        return (
            git_dir.parent == layout.common_dir / "worktrees"
            and not any((git_dir / name).exists() for name in _IN_THE_WAY)
            and _says(git_dir / "gitdir", path / ".git")
            and _says(path / ".git", f"gitdir: {git_dir}")
            and _says(git_dir / "HEAD", str(entry.commit))
            and settings(layout, git_dir) == entry.settings
            and _index(git_dir) == entry.index
            and all(_changed(path / name) == at for name, at in entry.directories.items())
            and not standing_in(path)
        )
    except (OSError, UnsafePath, TooLarge):
        return False


def _says(file: Path, text: object) -> bool:
    return stat.S_ISREG(file.lstat().st_mode) and file.read_text("utf-8", "surrogateescape").rstrip("\n") == str(text)


def settings(layout: Layout, git_dir: Path) -> tuple[str, ...]:
    """The git config of the main checkout alone, and that of the worktree with `git_dir`; empty where there is none."""
    files = [place / "config.worktree" for place in (layout.common_dir, git_dir)]
    return tuple(
        durable.read_regular(file, _SMALL).decode("latin-1") if os.path.lexists(file) else "" for file in files
    )


def _index(git_dir: Path) -> tuple[int, int]:
    seen = (git_dir / "index").lstat()
    return seen.st_mtime_ns, seen.st_size


def _changed(directory: Path) -> int:
    seen = directory.lstat()
    return seen.st_mtime_ns if stat.S_ISDIR(seen.st_mode) else -1


def looks(git: Git, path: Path, git_dir: Path) -> tuple[tuple[int, int], dict[str, int]]:
    """What `is_as_made` compares with: the index, and each directory with tracked files in it, and those above."""
    inside = replace(git, cwd=path, git_dir=None)
    inside.run("update-index", "-q", "--refresh")
    names = {""}
    for name in inside.run("ls-files", "-z").fields:
        while name := name.rpartition("/")[0]:
            if name in names:
                break
            names.add(name)
    there = {name for name in names if (path / name).is_dir() and not (path / name).is_symlink()}
    return _index(git_dir), {name: _changed(path / name) for name in sorted(there)}
