"""A worker's worktree: made, looked at, and taken away without losing what is in it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conductor_git import directories, durable, gitlocks
from conductor_git.errors import GitFailed, GitKilled, UnsafePath, WorktreeBusy
from conductor_git.gitcmd import Git
from conductor_git.ground.files import Files, write
from conductor_git.ground.submodules import populate
from conductor_git.integration import looking_at
from conductor_git.layout import CONTEXT_NAME, Layout
from conductor_git.names import CommitId

ALL_FILES: Final = Files()
_REMOVAL: Final = "conductor-removal"
_UNDER_WAY: Final = {
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or `git am`",
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "BISECT_LOG": "a bisect",
}


@dataclass(frozen=True, slots=True)
class Worktree:
    """One entry of `git worktree list --porcelain`; `branch_ref` is None where HEAD is detached."""

    path: Path
    head: CommitId | None
    branch_ref: str | None
    is_bare: bool = False
    prunable: str | None = None


def parse_list(fields: Iterable[str]) -> tuple[Worktree, ...]:
    """The fields of `git worktree list --porcelain -z`."""
    entries: list[Worktree] = []
    for text in fields:
        label, _, value = text.partition(" ")
        if label == "worktree":
            entries.append(Worktree(Path(value), None, None))
        elif entries:
            entries[-1] = _with(entries[-1], label, value)
    return tuple(entries)


def _with(entry: Worktree, label: str, value: str) -> Worktree:
    match label:
        case "HEAD":
            return replace(entry, head=CommitId(value))
        case "branch":
            return replace(entry, branch_ref=value)
        case "bare":
            return replace(entry, is_bare=True)
        case "prunable":
            return replace(entry, prunable=value)
        case _:
            return entry


def worktrees(git: Git) -> tuple[Worktree, ...]:
    """Every checkout of the repository, the main one first."""
    return parse_list(git.run("worktree", "list", "--porcelain", "-z").fields)


def registered_git_dir(layout: Layout, path: Path) -> Path | None:
    """The git dir under `worktrees/` whose registration points at `path`.

    Read from the repository's side: a worker can rewrite its own `.git` file, and we don't follow it.
    """
    with suppress(FileNotFoundError):
        for candidate in sorted((layout.common_dir / "worktrees").iterdir()):
            if _registered(candidate) == str(path / ".git"):
                return candidate
    return None


def registrations(common_dir: Path, path: Path) -> tuple[Path, ...]:
    """The entries under `worktrees/` of the directory `path`: the complete ones, or what a kill left of one.

    A registration without what `gitdir` says is a moment in the life of any `git worktree add`, and of a removal; it
    counts as left behind when it carries the directory's name (git writes its first dot as a dash) and stays as it is
    for the grace time.
    """
    entries = [entry for entry in directories.matching(common_dir, "worktrees/*") if entry.is_dir()]
    whole = tuple(entry for entry in entries if _registered(entry) == str(path / ".git"))
    name = f"-{path.name[1:]}" if path.name.startswith(".") else path.name
    return whole or tuple(
        entry
        for entry in entries
        if entry.name == name or (entry.name.startswith(name) and entry.name[len(name) :].isdigit())
        if not _registered(entry) and gitlocks.stands_still(entry)
    )


def _registered(entry: Path) -> str:
    with suppress(OSError):
        return (entry / "gitdir").read_text("utf-8", "surrogateescape").rstrip("\n")
    return ""


def drop_registration(layout: Layout, path: Path) -> None:
    """Drop the registration of a worktree whose files are gone, or what a kill left of it; a locked one stays."""
    with durable.lock(layout.worktree_lock, seconds=60, purpose="drop a registration"):
        for entry in registrations(layout.common_dir, path):
            if not (entry / "locked").exists():
                shutil.rmtree(_named_after(entry, path))


def _named_after(entry: Path, path: Path) -> Path:
    """The entry by the name of its directory, which one from the pool does not have: by that name `registrations` finds
    what a kill leaves of it."""
    named = entry.with_name(path.name)
    if entry == named or os.path.lexists(named):
        return entry
    durable.move(entry, named)
    return named


def remove(git: Git, path: Path, git_dir: Path, *, force: bool) -> None:
    """`git worktree remove`; what a kill leaves of the worktree is `is_half_removed`, and the next call ends it."""
    marker = git_dir / _REMOVAL
    if marker.exists():
        shutil.rmtree(path)  # git refuses a worktree whose `.git` file went first
    begin_removal(git_dir)
    try:
        # A registration whose files are gone is removed by the same command.
        git.run("worktree", "remove", *(("--force",) if force else ()), str(path))
    except GitKilled:
        raise
    except GitFailed:
        marker.unlink(missing_ok=True)
        raise


def begin_removal(git_dir: Path) -> None:
    """Let it be known, whatever a kill leaves, that the removal of the worktree with `git_dir` was decided."""
    (git_dir / _REMOVAL).touch()


def is_half_removed(git_dir: Path) -> bool:
    """A removal of this worktree was decided and begun: files that are missing were removed by it."""
    return (git_dir / _REMOVAL).exists()


def add(
    git: Git, layout: Layout, path: Path, *, branch: str, commit: CommitId, new_branch: bool, files: Files = ALL_FILES
) -> None:
    """Make a worktree of `branch` at `path`, its files written; `GitFailed` leaves what the caller must undo.

    The registration is serialised with our other spawns; the checkout, which takes the time, is not. `--no-track`
    writes nothing to the shared config. The filters of the shared config run: `configguard.require_agreed` comes first.
    """
    durable.make_directory(path.parent)
    how = ("--no-track", "-b", branch, str(path), commit) if new_branch else (str(path), branch)
    with durable.lock(layout.worktree_lock, seconds=60, purpose="git worktree add"):
        git.run("worktree", "add", "--quiet", "--no-checkout", *how)
    write_files(git, layout, path, files)


def write_files(git: Git, layout: Layout, path: Path, files: Files) -> None:
    """Write the files of HEAD into a worktree that has none yet, the submodules' too, as `files` says."""
    inside = replace(git, cwd=path, git_dir=None, transports=True)
    write(inside, files, durable.lock(layout.worktree_lock, seconds=60, purpose="git sparse-checkout"))
    populate(inside, layout.common_dir, files.submodules)


def add_detached(git: Git, layout: Layout, path: Path, *, commit: CommitId, files: Files = ALL_FILES) -> None:
    """As `add`, without a branch: HEAD is detached at `commit`."""
    durable.make_directory(path.parent)
    with durable.lock(layout.worktree_lock, seconds=60, purpose="git worktree add"):
        git.run("worktree", "add", "--quiet", "--no-checkout", "--detach", str(path), commit)
    write_files(git, layout, path, files)


def add_read_only(git: Git, layout: Layout, path: Path, *, commit: CommitId, files: Files = ALL_FILES) -> None:
    """As `add`, without a branch: HEAD is detached at `commit`, and no tracked file may be written.

    The modes stop accidents, not root or a `chmod`; directories can be written, for what tests and builds make.
    """
    add_detached(git, layout, path, commit=commit, files=files)
    inside = replace(git, cwd=path, git_dir=None, transports=True)
    for name in inside.run("ls-files", "-z").fields:
        file = path / name
        if file.is_file() and not file.is_symlink():
            file.chmod(file.stat().st_mode & ~0o222)
    inside.run("update-index", "-q", "--refresh", ok=(0, 1))  # a mode that changed would make git read the file again


def exclude_own_files(layout: Layout) -> None:
    """See that the common `info/exclude` hides what is never to be committed: the context file, an agent's cache."""
    path = layout.common_dir / "info" / "exclude"
    # The second is left by a kill between write and rename; the third, a cache, by aider, which cannot be told where.
    patterns = (f"/{CONTEXT_NAME}", f"/.{CONTEXT_NAME}.*.tmp", "/.aider.tags.cache.*/")
    if _lists(path, patterns):
        return
    with durable.lock(layout.locks / "exclude", purpose="exclude"):
        if not _lists(path, patterns):
            before = path.read_bytes() if path.exists() else b""
            gap = b"" if not before or before.endswith(b"\n") else b"\n"
            durable.make_directory(path.parent)
            durable.replace(path, before + gap + "".join(f"{pattern}\n" for pattern in patterns).encode())


def drop_temporary_exclude(layout: Layout) -> None:
    """Remove what a killed `exclude_own_files` left."""
    with durable.lock(layout.locks / "exclude", purpose="exclude"):
        durable.drop_temporaries(layout.common_dir / "info" / "exclude")


def _lists(path: Path, patterns: tuple[str, ...]) -> bool:
    return path.is_file() and {pattern.encode() for pattern in patterns} <= set(path.read_bytes().split(b"\n"))


def under_way(git_dir: Path) -> str:
    """What git is in the middle of in the checkout of `git_dir`, in words; empty where nothing is."""
    return next((what for name, what in _UNDER_WAY.items() if (git_dir / name).exists()), "")


def require_quiet(layout: Layout, path: Path, branch_ref: str) -> None:
    """Refuse a worktree whose HEAD is not on its branch or in which git is in the middle of something."""
    git_dir = registered_git_dir(layout, path)
    if git_dir is None:
        raise WorktreeBusy(
            f"{path} is no worktree of this repository any more",
            hint="git worktree list",
            worktree=str(path),
        )
    if what := under_way(git_dir):
        raise WorktreeBusy(
            f"{what} is under way in {path}",
            hint=f"git -C {shlex.quote(str(path))} status",
            worktree=str(path),
            under_way=what,
        )
    head = (git_dir / "HEAD").read_text().strip()
    if head != f"ref: {branch_ref}":
        found = head.removeprefix("ref: refs/heads/")
        raise WorktreeBusy(
            f"HEAD of {path} is at {found}, not on its branch {branch_ref.removeprefix('refs/heads/')}",
            hint=f"git -C {shlex.quote(str(path))} switch {shlex.quote(branch_ref.removeprefix('refs/heads/'))}",
            worktree=str(path),
            head=found,
        )


def uncommitted(
    integration: Git, layout: Layout, path: Path, head: CommitId, git_dir: Path | None = None
) -> tuple[str, ...]:
    """The paths in the worktree that differ from `head` or that git does not track, sorted; ignored ones are not told.

    Runs on a private copy of the index through the integration repository: no setting of the worker is obeyed.
    """
    git_dir = git_dir or registered_git_dir(layout, path) or path
    with looking_at(integration, path, git_dir / "index") as looking:
        git = unhidden(looking)
        # Really: a change under --assume-unchanged is a change, and would be lost with the worktree.
        git.run("update-index", "-q", "--really-refresh", ok=(0, 1))
        changed = git.run("diff-index", "--name-only", "-z", "--no-ext-diff", "--ignore-submodules=dirty", head).fields
        # A new file that was staged and is gone from the disk shows only here.
        staged = git.run("diff-index", "--cached", "--name-only", "-z", "--no-ext-diff", head).fields
        exclude = f"--exclude-from={layout.common_dir / 'info' / 'exclude'}"
        others = git.run("ls-files", "-z", "--others", "--exclude-standard", exclude).fields
    return tuple(sorted({*changed, *staged, *others}))


def unhidden(git: Git) -> Git:
    """`git`, to which a file that is there counts, also where its index says that a sparse checkout left it out."""
    return replace(git, config={**git.config, "core.sparseCheckout": "true"})


def require_removable(path: Path, root: Path, main: Path) -> None:
    """Refuse to remove anything but a plain directory under our worktree root that is not the main checkout."""
    reason = ""
    if path.is_symlink() or any(part.is_symlink() for part in path.parents if part.is_relative_to(root)):
        reason = "it is reached through a symbolic link"
    elif path.resolve() == main.resolve() or main.resolve().is_relative_to(path.resolve()):
        reason = "it holds the main checkout"
    elif not path.is_relative_to(root) or path == root:
        reason = f"it is not under {root}"
    if reason:
        raise UnsafePath(f"{path} is not removed: {reason}", hint=f"git worktree list  # {path}", path=str(path))
