"""A person's checkout, frozen: to assert that an operation left HEAD, index and every file as they were."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from tests.kit.repositories import git

_UNDER_WAY: Final = (
    "AUTO_MERGE",
    "BISECT_LOG",
    "CHERRY_PICK_HEAD",
    "MERGE_HEAD",
    "MERGE_MSG",
    "ORIG_HEAD",
    "REVERT_HEAD",
    "SQUASH_MSG",
    "index.lock",
    "rebase-apply",
    "rebase-merge",
    "sequencer",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a checkout: its mode, and a file's bytes, a link's target, or nothing for a directory."""

    mode: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a person could find changed. Two snapshots are equal when they would find nothing.

    `head` is the content of HEAD (`ref: refs/heads/main`, or an id), `tip` the commit it stands for, "" before the
    first. `index` is `git ls-files --stage`, `index_bytes` the hash of the index file: equal only when it was not even
    rewritten. `entries` holds every path outside `.git`: tracked, untracked, ignored, directories too. `under_way`
    names what a merge, rebase or the like left in the git dir; `stashes` are the ids on the stash.
    """

    head: str
    tip: str
    index: str
    index_bytes: str
    entries: Mapping[str, Entry]
    under_way: tuple[str, ...]
    stashes: tuple[str, ...]

    def differences(self, other: Snapshot) -> list[str]:
        """What changed from this one to `other`, a line each: for reading, when an assertion failed."""
        named = [field.name for field in fields(self) if field.name != "entries"]
        values = ((name, getattr(self, name), getattr(other, name)) for name in named)
        lines = [f"{name}: {before!r} -> {after!r}" for name, before, after in values if before != after]
        return lines + [
            f"{path}: {self.entries.get(path)} -> {other.entries.get(path)}"
            for path in sorted(self.entries.keys() | other.entries.keys())
            if self.entries.get(path) != other.entries.get(path)
        ]


def snapshot(checkout: Path) -> Snapshot:
    """Freeze `checkout` (a main checkout or a worktree; its top directory). Reads only, writes nothing.

    The index file is read before git runs, and git is kept from refreshing it.
    """
    git_dir = Path(_ask(checkout, "rev-parse", "--absolute-git-dir"))
    index_file = git_dir / "index"
    index_bytes = hashlib.sha256(index_file.read_bytes()).hexdigest() if index_file.exists() else ""
    return Snapshot(
        head=(git_dir / "HEAD").read_text().removesuffix("\n"),
        tip=git(checkout, "rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)),
        index=_ask(checkout, "ls-files", "--stage"),
        index_bytes=index_bytes,
        entries={str(path.relative_to(checkout)): _entry(path) for path in _paths(checkout)},
        under_way=tuple(name for name in _UNDER_WAY if (git_dir / name).exists()),
        stashes=tuple(_ask(checkout, "stash", "list", "--format=%H").split()),
    )


def _ask(checkout: Path, *arguments: str) -> str:
    return git(checkout, "--no-optional-locks", *arguments)


def _paths(checkout: Path) -> Iterator[Path]:
    for place, directories, files in os.walk(checkout):
        if Path(place) == checkout:
            for names in (directories, files):
                names[:] = [name for name in names if name != ".git"]
        yield from (Path(place, name) for name in (*directories, *files))


def _entry(path: Path) -> Entry:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return Entry(mode, str(path.readlink()).encode("utf-8", "surrogateescape"))
    return Entry(mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
