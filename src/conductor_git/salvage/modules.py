"""The submodules of a worktree that goes: git drops their repositories with it, so what only they hold is kept.

Their files are salvaged each into its own repository (`keep.salvage`). Then, where a repository holds a commit that
nothing else here has, all of them are moved to the state directory as they are: one rename, and no object is copied.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from conductor_git import durable
from conductor_git.errors import GitFailed, GitKilled, TooLarge, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.layout import Layout
from conductor_git.names import TaskId
from conductor_git.salvage.index import SUBMODULE
from conductor_git.salvage.kept import TIME_FORMAT

MODULES: Final = "modules"
_HEAD: Final = "refs/conductor/head"
_LIMIT: Final = 16384


def homes(root: Path, git_dir: Path, paths: Iterable[str]) -> dict[str, Path]:
    """The git dir of each submodule at `paths` that is checked out, for those that lie where git itself puts them."""
    found = {}
    for path in paths:
        home = _pointed_to(root / path)
        if home is not None and home.is_relative_to(os.path.realpath(git_dir / MODULES)) and (home / "HEAD").is_file():
            found[path] = home
    return found


def links(git: Git) -> list[str]:
    """The paths of the worktree that are submodules in its index and checked out by git itself."""
    assert git.git_dir is not None
    rows = (row.partition("\t") for row in git.run("ls-files", "-z", "--stage").fields)
    return list(homes(git.cwd, git.git_dir, [path for facts, _, path in rows if facts.startswith(SUBMODULE)]))


def _pointed_to(checkout: Path) -> Path | None:
    with suppress(OSError, TooLarge, UnsafePath):
        label, _, value = os.fsdecode(durable.read_regular(checkout / ".git", _LIMIT)).rstrip("\n").partition(": ")
        if label == "gitdir":
            return Path(os.path.realpath(checkout / value))
    return None


def is_stowed(layout: Layout, task_id: TaskId, git_dir: Path) -> bool:
    """The repositories were moved away by a removal that a kill ended: the checkouts of them lead nowhere."""
    return not (git_dir / MODULES).exists() and layout.submodules(task_id).is_dir()


def inside(integration: Git, git: Git, home: Path) -> tuple[Git, Git]:
    """Both ways to call git, for the submodule whose git dir is `home`."""
    objects = home / "objects"
    return replace(integration, objects=objects), replace(git, cwd=home, git_dir=home, work_tree=None, objects=None)


def stow(integration: Git, git: Git, layout: Layout, task_id: TaskId, git_dir: Path, *, at: datetime) -> Path | None:
    """Move the repositories of the worktree's submodules where they stay, if one holds what nothing else here does."""
    modules = git_dir / MODULES
    sources = {home: layout.common_dir / home.relative_to(git_dir) for home in _all(modules)}
    if not any(_has_own(integration, git, home, source) for home, source in sources.items()):
        return None
    place = layout.submodules(task_id) / at.strftime(TIME_FORMAT)
    for home in sources:
        inside(integration, git, home)[1].run("update-ref", _HEAD, "HEAD", ok=(0, 128))  # a fetch brings refs alone
        # git would look for the checkout that goes.
        git.run("config", "--file", str(home / "config"), "--unset-all", "core.worktree", ok=(0, 5))
    durable.make_directory(place.parent)
    durable.rename(modules, place)
    return place


def _all(place: Path) -> Iterator[Path]:
    """The repositories below `place`, by whatever name, and theirs."""
    if not place.is_dir() or place.is_symlink():
        return
    for entry in sorted(place.iterdir()):
        if (entry / "HEAD").is_file() and (entry / "objects").is_dir():
            yield entry
            yield from _all(entry / MODULES)
        else:
            yield from _all(entry)


def _has_own(integration: Git, git: Git, home: Path, source: Path) -> bool:
    """It has a commit that was fetched from nowhere, on a ref, on the stash or in a reflog, and `source` lacks it."""
    looking, own = inside(integration, git, home)
    try:
        commits = own.run("rev-list", "--all", "--reflog", "HEAD", "--not", "--remotes").lines
        if not commits or not (source / "objects").is_dir():
            return bool(commits)
        stdin = "".join(f"{commit}\n" for commit in commits).encode()
        said = replace(looking, objects=source / "objects").run("cat-file", "--batch-check", stdin=stdin).lines
    except GitKilled:
        raise
    except GitFailed:
        return True  # what cannot be looked at may hold anything
    return any(line.endswith(" missing") for line in said)
