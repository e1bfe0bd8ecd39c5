"""The fast-forward of a checkout that a person has the target in: all of it, or nothing of it.

It does what `git merge --ff-only` does, in steps that a SIGKILL cannot leave half done: the checkout's `index.lock`
is a hard link to a file of ours (so afterwards we know for certain whose it is), the new index is made beside and
renamed into place, and files written before the ref moved are put back by `mend`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conductor_git import directories, durable
from conductor_git.errors import Blocked, GitFailed, GitKilled
from conductor_git.gitcmd import Git
from conductor_git.history import tip_of
from conductor_git.landing.change import Change, changes
from conductor_git.names import CommitId
from conductor_git.worktree import under_way

_LOCK_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout of the target: its files, its git dir, and our scratch directory for this landing."""

    path: Path
    git_dir: Path
    scratch: Path

    @property
    def index(self) -> Path:
        return self.git_dir / "index"

    @property
    def index_lock(self) -> Path:
        return self.git_dir / "index.lock"

    @property
    def held(self) -> Path:
        """The file whose second name is `index_lock` while we hold it."""
        return self.scratch / "held"

    @property
    def new_index(self) -> Path:
        return self.scratch / "index"

    def is_held(self) -> bool:
        with suppress(FileNotFoundError):
            return self.index_lock.samefile(self.held)
        return False


def fast_forward(
    git: Git, checkout: Checkout, ref: str, before: CommitId, after: CommitId, listed: Sequence[Change], reflog: str
) -> None:
    """Move `ref` from `before` to `after` and the checkout's files and index with it; `listed` is what differs.

    `Blocked` when a file that the landing changes has changes of its own, when an untracked or ignored file is in the
    way, or when git is at work or in the middle of something there; then nothing has moved. Unrelated changes stay as
    they are. A failed compare-and-swap raises `GitFailed`, with the files as they were.
    """
    here = replace(_of(git, checkout), transports=True)
    with _locked(checkout):
        _require_head(checkout, ref)
        _refuse_under_way(checkout)
        shutil.copy2(checkout.index, checkout.new_index)
        _refuse_overlap(here, checkout, listed, ref, before)
        try:
            here.run("read-tree", "-m", "-u", "--no-recurse-submodules", before, after)
            # The files and the new index are on the disk before the ref says so: after a power cut recovery looks at
            # the ref alone.
            durable.sync_filesystem(checkout.path)
            here.run("update-ref", "-m", reflog, ref, after, before)
        except GitKilled:
            raise
        except GitFailed as failed:
            _restore(here, checkout, listed)
            if "not uptodate" in failed.message or "would be overwritten" in failed.message:
                raise _blocked(checkout, _staged_of(here, listed, before)) from failed
            raise
        checkout.new_index.replace(checkout.index)


def finish(checkout: Checkout) -> None:
    """After a kill once the ref had moved: put the new index in place and free the lock. Safe to repeat."""
    if checkout.is_held():
        with suppress(FileNotFoundError):
            checkout.new_index.replace(checkout.index)
        checkout.index_lock.unlink()
    _tidy(checkout)


def mend(git: Git, checkout: Checkout, before: CommitId, after: CommitId) -> None:
    """After a kill before the ref had moved: put back what was written of `after`, free the lock. Safe to repeat.

    Only files that hold exactly what `after` has, a beginning of it, or a part of what is put back there, are put back;
    one that holds anything else was edited since and is left alone.
    """
    if checkout.is_held():
        here = _of(git, checkout)
        # Asked without the new index, of which there may be half a copy.
        _restore(here, checkout, changes(git, before, after))
        checkout.index_lock.unlink()
    _tidy(checkout)


def _of(git: Git, checkout: Checkout) -> Git:
    return replace(git, cwd=checkout.path, git_dir=checkout.git_dir, work_tree=checkout.path, index=checkout.new_index)


def _tidy(checkout: Checkout) -> None:
    """Take away what a landing keeps beside its lock; the lock itself is gone, so none of it says anything any more."""
    for file in (checkout.new_index, Path(f"{checkout.new_index}.lock"), checkout.held):
        file.unlink(missing_ok=True)
    with suppress(OSError):
        checkout.scratch.rmdir()  # where no log of a gate is in it


@contextmanager
def _locked(checkout: Checkout) -> Iterator[None]:
    """Hold the checkout's `index.lock` for the block.

    A git that was killed in there may have moved the ref or not, so the lock stays with what is beside it, and says to
    recovery that the checkout is ours to finish or to put back.
    """
    durable.make_directory(checkout.scratch)
    checkout.held.touch()
    try:
        _link(checkout)
        yield
    except GitKilled:
        raise
    except Exception:
        _release(checkout)
        raise
    _release(checkout)


def _release(checkout: Checkout) -> None:
    if checkout.is_held():
        checkout.index_lock.unlink()
    _tidy(checkout)


def _link(checkout: Checkout) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            os.link(checkout.held, checkout.index_lock)
        except FileExistsError:
            if time.monotonic() >= deadline:
                raise Blocked(
                    f"another git command holds {checkout.index_lock} for over {_LOCK_SECONDS} s",
                    hint=f"git -C {shlex.quote(str(checkout.path))} status",
                    checkout=str(checkout.path),
                    files=[],
                ) from None
            time.sleep(0.01)
        else:
            return


def _require_head(checkout: Checkout, ref: str) -> None:
    head = (checkout.git_dir / "HEAD").read_text().strip()
    if head != f"ref: {ref}":
        raise GitFailed(f"{checkout.path} left {ref} while the landing was on its way", checkout=str(checkout.path))


def _require_tip(here: Git, checkout: Checkout, ref: str, before: CommitId) -> None:
    tip = tip_of(here, ref)
    if tip != before:
        raise GitFailed(f"{ref} moved to {tip} while the landing was on its way", checkout=str(checkout.path))


def _refuse_under_way(checkout: Checkout) -> None:
    # As `git merge --ff-only` does: the person's own merge would end on a commit that it did not begin with.
    if what := under_way(checkout.git_dir):
        raise Blocked(
            f"{what} is under way in {checkout.path}; nothing was moved",
            hint=f"git -C {shlex.quote(str(checkout.path))} status",
            checkout=str(checkout.path),
            files=[],
        )


def _refuse_overlap(here: Git, checkout: Checkout, listed: Sequence[Change], ref: str, before: CommitId) -> None:
    dirty = _dirty(here, before)
    if any(change.path in dirty for change in listed):
        # A file that was touched and not changed is among them; only then is it worth to read the files.
        here.run("update-index", "-q", "--refresh", ok=(0, 1))
        dirty = _dirty(here, before)
    tracked = {change.path for change in listed if change.old_mode != "000000"}
    in_the_way = [
        change.path
        for change in listed
        if change.path in dirty or (change.path not in tracked and _is_taken(checkout.path, change.path, tracked))
    ]
    if in_the_way:
        # What a person has committed since looks like an uncommitted change. With nothing in the way there is no need
        # to ask: the compare-and-swap does.
        _require_tip(here, checkout, ref, before)
        raise _blocked(checkout, in_the_way)


def _staged_of(here: Git, listed: Sequence[Change], before: CommitId) -> list[str]:
    """The paths of `listed` that only the index tells of, staged and gone from the disk; some of all where none is."""
    staged = set(here.run("diff-index", "--cached", "--name-only", "-z", "--no-ext-diff", before).fields)
    return [change.path for change in listed if change.path in staged] or [change.path for change in listed][:20]


def _dirty(here: Git, before: CommitId) -> set[str]:
    # What lies in a submodule is not looked at: a fast-forward does not go there, and its config is not guarded.
    how = ("--name-only", "-z", "--no-ext-diff", "--ignore-submodules=dirty")
    return set(here.run("diff-index", *how, before).fields)


def _is_taken(root: Path, path: str, tracked: set[str]) -> bool:
    """Something that git does not track lies where a new file would go; git itself would overwrite ignored files."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        if (above not in tracked and (root / above).is_symlink()) or (
            (root / above).is_file() and above not in tracked
        ):
            return True
    if (root / path).is_dir() and not (root / path).is_symlink():
        inside = (file for file in directories.below(root / path) if not file.is_dir())
        return any(str(file.relative_to(root)) not in tracked for file in inside)
    return os.path.lexists(root / path)


def _blocked(checkout: Checkout, files: Sequence[str]) -> Blocked:
    return Blocked(
        f"the checkout {checkout.path} has changes of its own in {', '.join(files[:5])}; nothing was moved",
        hint=f"git -C {shlex.quote(str(checkout.path))} status",
        checkout=str(checkout.path),
        files=list(files),
    )


def _restore(here: Git, checkout: Checkout, listed: Sequence[Change]) -> None:
    """Put the files of `listed` back to what the checkout's index (still the old one) says of them."""
    with suppress(FileNotFoundError):
        Path(f"{checkout.new_index}.lock").unlink()
    shutil.copy2(checkout.index, checkout.new_index)
    here.run("update-index", "-q", "--refresh", ok=(0, 1))
    differing = set(here.run("diff-files", "--name-only", "-z", "--no-ext-diff", "--ignore-submodules=dirty").fields)
    ours = [change for change in listed if change.path in differing or change.old_mode == "000000"]
    written = [change for change in ours if _is_written(here, checkout.path / change.path, change)]
    _remove([checkout.path / change.path for change in written], checkout.path)
    tracked = [change.path for change in written if change.old_mode not in ("000000", "160000")]
    here.run(
        "checkout-index",
        "-f",
        "-z",
        "--stdin",
        stdin="".join(f"{path}\0" for path in tracked).encode("utf-8", "surrogateescape"),
    )


def _is_written(here: Git, file: Path, change: Change) -> bool:
    """The file is gone, or holds what the landing writes there or the beginning of it.

    Or it holds a beginning of what it was: so a kill leaves it while it is put back. All of that with another mode is
    somebody's own doing.
    """
    try:
        mode = file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return True  # a new one too: the directories that were made for it are there already
    if stat.S_ISDIR(mode):  # a submodule is never written through
        return False
    if stat.S_ISLNK(mode):
        return _is_blob(change.new_mode) and os.fsencode(file.readlink()) == _blob(here, change.new_blob)
    there = file.read_bytes()
    if _is_blob(change.new_mode) and _filtered(here, change, change.new_blob).startswith(there):
        return True
    was = _filtered(here, change, change.old_blob) if _is_blob(change.old_mode) else b""
    return len(there) < len(was) and was.startswith(there)


def _is_blob(mode: str) -> bool:
    return mode not in ("000000", "160000")


def _blob(here: Git, blob: str) -> bytes:
    return here.run("cat-file", "blob", blob).out


def _filtered(here: Git, change: Change, blob: str) -> bytes:
    """What git writes into the file for `blob`."""
    return here.run("cat-file", "--filters", f"--path={change.path}", blob).out


def _remove(files: Sequence[Path], root: Path) -> None:
    for file in files:
        with suppress(FileNotFoundError, NotADirectoryError):
            file.unlink()
        for parent in file.parents:
            if parent == root:
                break
            try:
                parent.rmdir()
            except OSError:
                break
