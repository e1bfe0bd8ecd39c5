"""The files of a restore, made in a staging directory that nobody looks at until it is whole.

First the commit is checked out as `spawn` does it, by the filters of the project that were agreed to. Then
what the salvage holds is written over it, raw, as it was stored.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conductor_git import configguard, integration
from conductor_git.gitcmd import Git
from conductor_git.ground.files import files_of
from conductor_git.history import parse_objects
from conductor_git.landing.change import Change, changes
from conductor_git.layout import OWN_FILES
from conductor_git.names import CommitId
from conductor_git.project import Project
from conductor_git.salvage import index as kept_index
from conductor_git.salvage.keep import LINK
from conductor_git.salvage.kept import Salvaged
from conductor_git.settings import project_config
from conductor_git.workflow.restoring.plan import Plan

_GONE: Final = "000000"
_AT_ONCE: Final = 32 * 1024 * 1024
"""So many bytes of files are in memory together; a larger file is unpacked by git, straight to the disk."""


@dataclass(frozen=True, slots=True)
class Built:
    """What belongs into the git dir of the worktree: its index, and the files of a merge that was under way."""

    index: Path
    merging: Mapping[str, bytes]
    files: int


@contextmanager
def built(project: Project, wanted: Plan, staging: Path) -> Iterator[Built]:
    """Make the files of `wanted` in the empty directory `staging`; what is yielded is there for the block.

    `ConfigChanged` where the shared git config could run something that nobody agreed to.
    """
    entries = integration.shared_config(project.git)
    configguard.require_all_agreed(project.layout, entries, wanted.task_id)
    looking = configguard.filtering(integration.opened(project.layout, project.git, entries), project.layout)
    with integration.looking_at(looking, staging, staging / "no index") as here:
        assert here.index is not None
        # The project's own filters need its own git dir: what an LFS filter has fetched lies there.
        git = replace(project.git, cwd=staging, work_tree=staging, index=here.index, transports=True)
        how = files_of(project_config(project)).environment
        git.run("read-tree", "--reset", "-u", "--no-recurse-submodules", wanted.commit, extra=how)
        kept = wanted.salvage
        files, state = 0, kept_index.State()
        if kept is not None and kept.note is not None:
            state = kept_index.read(here, kept.note.state)
            files = _write(here, staging, kept, state.raw)
            _settle_index(here, kept, state)
        here.run("update-index", "-q", "--refresh", ok=(0, 1))
        yield Built(here.index, state.merging or {}, files)


def _settle_index(here: Git, kept: Salvaged, state: kept_index.State) -> None:
    assert here.index is not None
    assert kept.note is not None
    if state.index is not None:
        here.index.write_bytes(state.index)
    elif kept.note.index is not None:
        here.run("read-tree", "--reset", kept.note.index)


def _write(here: Git, staging: Path, kept: Salvaged, raw: Sequence[str]) -> int:
    # A ref can be made by anybody; git refuses a tree whose names lead out of the directory.
    replace(here, index=Path(f"{here.index}.names")).run("read-tree", kept.commit)
    listed = [change for change in changes(here, kept.head, kept.commit) if change.path not in OWN_FILES]
    for change in listed:
        if change.old_mode != _GONE:
            _take_away(staging, staging / change.path)
    wanted = [change for change in listed if change.new_mode not in (_GONE, kept_index.SUBMODULE)]
    wanted += _unchanged(here, staging, kept.commit, raw)
    sizes = _sizes(here, wanted)
    large = [change for change in wanted if sizes[change.new_blob] > _AT_ONCE]
    for some in _portions([change for change in wanted if change not in large], sizes):
        stdin = "".join(f"{change.new_blob}\n" for change in some).encode()
        found = parse_objects(here.run("cat-file", "--batch", stdin=stdin).out, len(some))
        for change, blob in zip(some, found, strict=True):
            assert blob is not None, change
            _put(staging / change.path, change.new_mode, blob.data)
    for change in large:
        _unpack(here, staging / change.path, change)
    return len(listed)


def _unchanged(here: Git, staging: Path, commit: CommitId, raw: Sequence[str]) -> list[Change]:
    """The paths that differ from no commit, and are to be written raw over what a filter made of them."""
    found = []
    for path in raw:
        line = here.run("ls-tree", "-z", "--full-tree", commit, "--", f":(literal){path}", ok=(0, 128)).fields
        for mode, _, blob in (one.partition("\t")[0].split(" ") for one in line):
            _take_away(staging, staging / path)
            found.append(Change(path, mode, mode, blob, blob))
    return found


def _take_away(staging: Path, file: Path) -> None:
    """Remove what the checkout wrote, and the directories that are empty then: a file may take their place."""
    if file.is_dir() and not file.is_symlink():
        with suppress(OSError):
            file.rmdir()  # a submodule's
    else:
        file.unlink(missing_ok=True)
    for parent in file.parents:
        if parent == staging:
            break
        with suppress(OSError):
            parent.rmdir()


def _sizes(here: Git, wanted: Sequence[Change]) -> dict[str, int]:
    stdin = "".join(f"{change.new_blob}\n" for change in wanted).encode()
    rows = here.run("cat-file", "--batch-check", stdin=stdin).lines
    return {blob: int(size) for blob, _, size in (row.split(" ") for row in rows)}


def _portions(wanted: Sequence[Change], sizes: Mapping[str, int]) -> Iterator[list[Change]]:
    portion: list[Change] = []
    total = 0
    for change in wanted:
        if portion and total + sizes[change.new_blob] > _AT_ONCE:
            yield portion
            portion, total = [], 0
        portion.append(change)
        total += sizes[change.new_blob]
    if portion:
        yield portion


def _put(file: Path, mode: str, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if mode == LINK:
        file.symlink_to(os.fsdecode(data))
        return
    with file.open("xb") as opened:
        opened.write(data)
    _set_mode(file, mode)


def _unpack(here: Git, file: Path, change: Change) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    name = here.run("unpack-file", change.new_blob).text
    shutil.move(here.cwd / name, file)
    file.chmod(0o666 & ~_umask(file.parent))
    _set_mode(file, change.new_mode)


def _umask(directory: Path) -> int:
    """What new files are not allowed, told by one: asking for it by its call would change it for a moment."""
    probe = directory / ".conductor-mode"
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    return ~mode & 0o666


def _set_mode(file: Path, mode: str) -> None:
    if mode == "100755":
        now = file.stat().st_mode
        file.chmod(now | (now & 0o444) >> 2)
