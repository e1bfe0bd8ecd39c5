"""What of a worktree's index and git dir a tree cannot say, kept as a commit that a salvage has as its parent.

An index has more than a tree: paths in conflict with up to three contents each, paths that are intended to be added,
flags that tell git to overlook a file. Its bytes are kept as they are, and what they name is kept reachable. The
tree of such a commit: `index`, those bytes; `stages/N/PATH`, the contents of conflicts; `raw`, the paths to write raw
although they differ from no commit; `git/NAME`, the files of a merge that was under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.errors import TooLarge, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.history import objects
from conductor_git.names import CommitId

SUBMODULE: Final = "160000"
MERGING: Final = ("MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "CHERRY_PICK_HEAD", "REVERT_HEAD")
"""The files in a git dir by which git goes on with a merge, a cherry-pick or a revert of one commit."""
_EMPTY: Final = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
_LIMIT: Final = 1 << 20


class Entry(NamedTuple):
    """One entry of an index; `tag` is `H` for a plain one."""

    tag: str
    mode: str
    blob: str
    stage: str
    path: str


@dataclass(frozen=True, slots=True)
class State:
    """What was kept beside the trees; `index` is None where the staged tree says it all."""

    index: bytes | None = None
    raw: tuple[str, ...] = ()
    merging: Mapping[str, bytes] | None = None


def entries(looking: Git) -> list[Entry]:
    found = []
    for line in looking.run("ls-files", "-z", "-v", "--stage").fields:
        facts, _, path = line.partition("\t")
        tag, mode, blob, stage = facts.split(" ")
        found.append(Entry(tag, mode, blob, stage, path))
    return found


def is_plain(listed: Iterable[Entry]) -> bool:
    """A tree says all of it. An entry of an empty file may be one that is only intended to be added."""
    return all(entry.tag == "H" and entry.blob not in _EMPTY for entry in listed)


def merging_in(git_dir: Path) -> dict[str, bytes]:
    """The files of what is under way in `git_dir`, those that are plain files."""
    found = {}
    for name in MERGING:
        try:
            found[name] = durable.read_regular(git_dir / name, _LIMIT)
        except (OSError, TooLarge, UnsafePath):
            continue
    return found


def keep(looking: Git, title: str, listed: Sequence[Entry], state: State) -> CommitId | None:
    """A commit that holds `state` and every object that it names; None where there is nothing to say."""
    merging = state.merging or {}
    if state.index is None and not state.raw and not merging:
        return None
    lines = [] if state.index is None else [_line(looking, "index", state.index), *_stages(listed)]
    if state.raw:
        lines.append(
            _line(looking, "raw", "".join(f"{path}\0" for path in state.raw).encode("utf-8", "surrogateescape"))
        )
    lines += [_line(looking, f"git/{name}", data) for name, data in merging.items()]
    fresh = replace(looking, index=Path(f"{looking.index}.state"))
    fresh.run("update-index", "-z", "--add", "--index-info", stdin="".join(lines).encode("utf-8", "surrogateescape"))
    parents = [part for commit in _merged(looking, merging) for part in ("-p", commit)]
    return CommitId(looking.run("commit-tree", *parents, "-m", title, fresh.run("write-tree").text).text)


def _line(looking: Git, name: str, data: bytes) -> str:
    blob = looking.run("hash-object", "-w", "--no-filters", "--stdin", stdin=data).text
    return f"100644 {blob}\t{name}\0"


def _stages(listed: Sequence[Entry]) -> list[str]:
    return [
        f"{entry.mode} {entry.blob}\tstages/{entry.stage}/{entry.path}\0"
        for entry in listed
        if entry.stage != "0" and entry.mode != SUBMODULE
    ]


def _merged(looking: Git, merging: Mapping[str, bytes]) -> list[str]:
    """The commits that were being merged: nothing else may hold them."""
    names = [
        line.decode("ascii", "replace") for name, data in merging.items() if "HEAD" in name for line in data.split()
    ]
    found = objects(looking, *names) if names else ()
    return [one.name for one in found if one is not None and one.kind == "commit"]


def read(git: Git, commit: CommitId | None) -> State:
    """What `keep` kept in `commit`."""
    if commit is None:
        return State()
    names = ["index", "raw", *(f"git/{name}" for name in MERGING)]
    index, raw, *merging = objects(git, *(f"{commit}:{name}" for name in names))
    paths = raw.data.decode("utf-8", "surrogateescape").split("\0")[:-1] if raw else []
    kept = {name: one.data for name, one in zip(MERGING, merging, strict=True) if one}
    return State(index.data if index else None, tuple(paths), kept)
