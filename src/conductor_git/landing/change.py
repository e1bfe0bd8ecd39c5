"""What differs between two commits, path by path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conductor_git.gitcmd import Git
from conductor_git.layout import CONFIG_NAME
from conductor_git.names import CommitId

_IGNORED_BY_HFS: Final = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between two trees; the mode is 000000 where a tree has no such path."""

    path: str
    old_mode: str
    new_mode: str
    old_blob: str
    new_blob: str

    @property
    def is_removal(self) -> bool:
        return self.new_mode == "000000"


def changes(git: Git, before: CommitId, after: CommitId) -> tuple[Change, ...]:
    return parse_changes(git.run("diff-tree", "-r", "-z", "--raw", "--no-renames", before, after).fields)


def parse_changes(fields: Sequence[str]) -> tuple[Change, ...]:
    """The fields of `git diff-tree -r -z --raw --no-renames`."""
    found = []
    for meta, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_blob, new_blob, _ = meta.removeprefix(":").split(" ")
        found.append(Change(path, old_mode, new_mode, old_blob, new_blob))
    return tuple(found)


def is_git_dir(path: str) -> bool:
    r"""Whether some file system (one that folds case, NTFS, HFS+) takes a part of `path` for `.git`.

    On some `\\` parts a path as `/` does.
    """
    return any(_as_file_systems_see(part) in (".git", "git~1") for part in re.split(r"[/\\]", path))


def _as_file_systems_see(part: str) -> str:
    """NTFS drops a stream's name, and dots and spaces at the end; HFS+ what has no width."""
    return _IGNORED_BY_HFS.sub("", part.partition(":")[0]).rstrip(". ").casefold()


def touches_config(listed: Sequence[Change]) -> bool:
    """Whether a landing brings another `.conductor.yaml`: its gates count from the next landing on."""
    return any(change.path == CONFIG_NAME for change in listed)


def config_change(git: Git, target: CommitId, approved: CommitId) -> bool:
    """Whether the branch whose commit is `approved` changes `.conductor.yaml`, since it left `target`.

    `git` is the integration repository. True also where the two have no history in common.
    """
    how = ("--quiet", "--no-ext-diff", "--no-textconv", "--no-renames")
    return git.run("diff", *how, f"{target}...{approved}", "--", CONFIG_NAME, ok=(0, 1, 128)).code != 0
