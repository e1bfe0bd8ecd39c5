"""Salvage: a commit under `refs/conductor/salvage/` that keeps, byte for byte, what a removal would drop."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import brought
from conductor_git.errors import GitFailed, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.history import tip_of
from conductor_git.integration import looking_at, opened
from conductor_git.layout import OWN_FILES, SALVAGE_REFS, Layout
from conductor_git.names import CommitId, TaskId
from conductor_git.salvage import index as kept_index
from conductor_git.salvage import modules
from conductor_git.salvage.index import SUBMODULE, Entry, State
from conductor_git.salvage.kept import TIME_FORMAT, Note, message, subject
from conductor_git.worktree import is_half_removed, registered_git_dir, under_way

LINK: Final = "120000"
IGNORED_FILE_BYTES: Final = 1024 * 1024
IGNORED_TOTAL_BYTES: Final = 64 * 1024 * 1024
"""Ignored files over these limits (build output, installed dependencies) are listed, not kept."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """What was kept: a ref and its commit, and the ignored paths that were too large to keep."""

    ref: str
    commit: CommitId
    left_out: tuple[str, ...] = ()


def salvage(  # noqa: PLR0913 - what, where, and how, the latter by name
    integration: Git,
    git: Git,
    layout: Layout,
    task_id: TaskId,
    path: Path,
    *,
    at: datetime,
    why: str = "",
    home: CommitId | None = None,
    keep_head: bool = False,
    half_removed: bool = False,
) -> Salvage | None:
    """Keep every file of the worktree at `path` that its HEAD does not hold; None where there is nothing to keep.

    What git sees as changed, untracked or ignored is stored raw (no filter, no line-ending rule), symbolic links as
    links, modes as git knows them; the index as it is, and a merge that is under way; a detached HEAD is kept too
    unless it is at `home`, and any HEAD with `keep_head`. The ref is durable when this returns, and its message says
    `why`. With `half_removed`, files that are missing were taken by the removal itself, after a salvage of theirs, and
    do not count. The files of a submodule are kept the same way in its own repository, which `modules.stow` keeps. Any
    other repository inside the worktree cannot be kept this way and refuses the removal. Ignored files that are still
    as an include or a setup brought them can be had again, and are not kept.
    """
    git_dir = registered_git_dir(layout, path)
    if git_dir is None:
        raise UnsafePath(f"{path} is no worktree of this repository", hint="git worktree list", path=str(path))
    place = _Place(layout, task_id, path, git_dir)
    return _salvaged(integration, git, place, at, why, home, keep_head=keep_head, half_removed=half_removed)


class _Place(NamedTuple):
    """The checkout that is salvaged: the worktree of the task, or a submodule in there."""

    layout: Layout
    task_id: TaskId
    root: Path
    git_dir: Path


def _salvaged(
    integration: Git,
    git: Git,
    place: _Place,
    at: datetime,
    why: str,
    home: CommitId | None,
    *,
    keep_head: bool = False,
    half_removed: bool = False,
) -> Salvage | None:
    layout, task_id, path, git_dir = place
    named = (git_dir / "HEAD").read_text().strip()
    head = CommitId(git.run("rev-parse", "--verify", "--end-of-options", named.removeprefix("ref: ")).text)
    with looking_at(integration, path, git_dir / "index") as looking:
        index = looking.index.read_bytes() if looking.index and looking.index.is_file() else b""
        listed = kept_index.entries(looking)
        links = [entry.path for entry in listed if entry.mode == SUBMODULE]
        checked_out = modules.homes(path, git_dir, links)
        safe = links if modules.is_stowed(layout, task_id, git_dir) else [*checked_out]
        gone, kept, left_out = _select(looking, layout, path, head, listed, safe, brought.unchanged(git_dir, path))
        gone = [] if half_removed else gone
        for name, inner in checked_out.items():
            within = _Place(layout, task_id, path / name, inner)
            at_home = CommitId((inner / "HEAD").read_text().strip())
            found = _salvaged(*modules.inside(integration, git, inner), within, at, why, at_home)
            left_out += tuple(f"{name}/{path}" for path in found.left_out) if found else ()
        staged = _staged_tree(looking)
        before = looking.run("rev-parse", f"{head}^{{tree}}").text
        if not gone and not kept and staged in (before, "") and _is_home(named, home) and not keep_head:
            return Salvage("", head, left_out) if left_out else None
        tree = _tree(looking, path, head, gone, kept)
        state = State(
            None if kept_index.is_plain(listed) else index,
            _same_in_store(looking, head, tree, kept),
            kept_index.merging_in(git_dir),
        )
        held = kept_index.keep(looking, f"{subject(task_id)}: state", listed, state)
    note = Note(
        why=why,
        head=named.removeprefix("ref: ") if named.startswith("ref: ") else "detached",
        under_way=under_way(git_dir),
        is_rest=half_removed,
        state=held,
        left_out=left_out,
    )
    return _keep(integration, git, task_id, tree, staged if staged != before else "", head, note, at)


def _is_home(named: str, home: CommitId | None) -> bool:
    """HEAD, as its file says it, is on a branch or at the commit that a detached worktree was made for."""
    return named.startswith("ref: ") or named == home


def _staged_tree(looking: Git) -> str:
    """The tree of the (private copy of the) index; of paths in conflict it has none, the files hold what there is."""
    whole = looking.run("write-tree", ok=(0, 128))
    if whole.code == 0:
        return whole.text
    unmerged = {row.partition("\t")[2] for row in looking.run("ls-files", "--unmerged", "-z").fields}
    listing = "".join(f"{path}\0" for path in sorted(unmerged)).encode("utf-8", "surrogateescape")
    looking.run("update-index", "-z", "--force-remove", "--stdin", stdin=listing)
    return looking.run("write-tree", ok=(0, 128)).text


def _select(
    looking: Git,
    layout: Layout,
    root: Path,
    head: CommitId,
    listed: Sequence[Entry],
    safe: Sequence[str],
    again: Container[str],
) -> tuple[list[str], list[str], tuple[str, ...]]:
    """The paths of `head` that are gone, the paths to keep from the disk, and those too large to keep.

    `safe` are the submodules whose repositories are kept by themselves. Ignored files of `again` can be had again.
    """
    links = _submodules_with_all_in_sight(looking, root, listed)
    changed = looking.run("diff-index", "--name-only", "-z", "--no-ext-diff", "--ignore-submodules=dirty", head).fields
    exclude = f"--exclude-from={layout.common_dir / 'info' / 'exclude'}"
    untracked = looking.run("ls-files", "-z", "--others", "--exclude-standard", exclude).fields
    ignored = looking.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard", exclude).fields
    changed = [path for path in changed if path not in safe]
    links = [path for path in links if path not in safe]
    _refuse_repositories(root, [*links, *changed, *untracked, *ignored])
    gone = [path for path in changed if not os.path.lexists(root / path)]
    # A file that was taken out of the index only is in both lists.
    kept = list(dict.fromkeys([*untracked, *(path for path in changed if os.path.lexists(root / path))]))
    total, left_out = 0, list[str]()
    for path in ignored:
        if path in OWN_FILES or path in again:
            continue
        size = (root / path).lstat().st_size
        total += size
        (left_out if size > IGNORED_FILE_BYTES or total > IGNORED_TOTAL_BYTES else kept).append(path)
    return gone, kept, tuple(left_out)


def _submodules_with_all_in_sight(looking: Git, root: Path, listed: Sequence[Entry]) -> list[str]:
    """Undo in the private index what keeps git from looking at a file that is there; returns the submodules.

    `--assume-unchanged` and `--skip-worktree` would hide a change from the salvage, and the removal drops it all the
    same. What a sparse checkout left out is not on the disk and stays out.
    """
    skipped = [f"{entry.path}\0" for entry in listed if entry.tag in "Ss" and os.path.lexists(root / entry.path)]
    stdin = "".join(skipped).encode("utf-8", "surrogateescape")
    looking.run("update-index", "--no-skip-worktree", "-z", "--stdin", stdin=stdin)
    looking.run("update-index", "-q", "--really-refresh", ok=(0, 1))
    return [entry.path for entry in listed if entry.mode == SUBMODULE]


def _refuse_repositories(root: Path, paths: list[str]) -> None:
    for path in paths:
        if path.endswith("/") or (root / path / ".git").exists():
            raise UnsafePath(
                f"{root / path} is a repository of its own inside the worktree, and salvage cannot keep its history",
                hint=f"git -C {shlex.quote(str(root / path))} status",
                path=str(root / path),
            )


def _tree(looking: Git, root: Path, head: CommitId, gone: list[str], kept: list[str]) -> str:
    """The tree of `head` without `gone` and with the `kept` paths as they are on the disk."""
    modes = {path: mode for path in kept if (mode := _mode(root / path))}
    ids = _blobs(looking, root, [path for path, mode in modes.items() if mode != LINK])
    lines = [f"0 {'0' * len(head)}\t{path}\0" for path in gone]
    for path, mode in modes.items():
        lines.append(f"{mode} {ids.get(path) or _link_blob(looking, root / path)}\t{path}\0")
    fresh = replace(looking, index=Path(f"{looking.index}.salvage"))
    fresh.run("read-tree", head)
    # --replace: a file where HEAD has a directory, or the other way round, takes its place.
    fresh.run(
        "update-index", "-z", "--replace", "--index-info", stdin="".join(lines).encode("utf-8", "surrogateescape")
    )
    return fresh.run("write-tree").text


def _mode(file: Path) -> str:
    """The file's mode as git writes it; empty for sockets, pipes and devices, which hold no bytes."""
    mode = file.lstat().st_mode
    if stat.S_ISLNK(mode):
        return LINK
    if stat.S_ISREG(mode):
        return "100755" if mode & stat.S_IXUSR else "100644"
    return ""


def _blobs(looking: Git, root: Path, paths: list[str]) -> dict[str, str]:
    plain = [path for path in paths if not {"\n", "\r"} & set(path)]
    listing = "".join(f"{root / path}\n" for path in plain).encode("utf-8", "surrogateescape")
    ids = dict(
        zip(plain, looking.run("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=listing).lines, strict=True)
    )
    for path in paths:
        if path not in ids:  # a line end in the name: one process for that one file
            ids[path] = looking.run("hash-object", "-w", "--no-filters", "--", str(root / path)).text
    return ids


def _link_blob(looking: Git, link: Path) -> str:
    return looking.run("hash-object", "-w", "--no-filters", "--stdin", stdin=os.fsencode(link.readlink())).text


def _same_in_store(looking: Git, head: CommitId, tree: str, kept: list[str]) -> tuple[str, ...]:
    """Those of `kept` whose bytes `head` has too: git calls them changed, as a filter would have written others."""
    changed = set(looking.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", head, tree).fields)
    return tuple(path for path in kept if path not in changed)


def _keep(
    integration: Git, git: Git, task_id: TaskId, tree: str, staged: str, head: CommitId, note: Note, at: datetime
) -> Salvage:
    index = None
    if staged:
        words = ("-p", head, "-m", f"{subject(task_id)}: index")
        index = CommitId(integration.run("commit-tree", *words, staged).text)
    note = replace(note, index=index)
    parents = [head, *filter(None, (note.index, note.state))]
    commit = integration.run("commit-tree", *_parents(parents), "-F", "-", tree, stdin=message(task_id, note))
    return replace(keep_commit(git, task_id, CommitId(commit.text), at=at), left_out=note.left_out)


def keep_commit(git: Git, task_id: TaskId, commit: CommitId, *, at: datetime) -> Salvage:
    """A salvage ref on `commit` itself, for a branch that is about to leave it; call it with the task's lock held."""
    ref = _ref(task_id, at)
    while tip_of(git, ref) is not None:  # what was in the worktree was salvaged at the same moment
        at += timedelta(microseconds=1)
        ref = _ref(task_id, at)
    git.run("update-ref", ref, commit, "")
    return Salvage(ref, commit)


def _ref(task_id: TaskId, at: datetime) -> str:
    return f"{SALVAGE_REFS}{task_id}/{at.strftime(TIME_FORMAT)}"


def keep_head_of_gone(git: Git, layout: Layout, task_id: TaskId, path: Path, *, at: datetime) -> Salvage | None:
    """Keep what only the registration of a worktree whose files are gone holds: what was staged, or a detached HEAD.

    What was staged was salvaged before where the removal was ours. An index that cannot be read holds nothing.
    """
    git_dir = registered_git_dir(layout, path)
    if git_dir is None or not (git_dir / "HEAD").is_file():
        return None  # without a HEAD a kill has ended the dropping of it, which came after all was kept
    head = (git_dir / "HEAD").read_text().strip()
    if not is_half_removed(git_dir):
        with suppress(GitFailed):
            kept = _index_of_gone(git, layout, task_id, git_dir, head, at)
            if kept is not None:
                return kept
    if head.startswith("ref: "):
        return None
    holders = git.run("for-each-ref", "--count=1", f"--contains={head}", ok=(0, 129))
    if holders.out or holders.code:  # 129: the commit itself is not there any more
        return None
    return keep_commit(git, task_id, CommitId(head), at=at)


def _index_of_gone(
    git: Git, layout: Layout, task_id: TaskId, git_dir: Path, named: str, at: datetime
) -> Salvage | None:
    if not (git_dir / "index").is_file():
        return None
    name = named.removeprefix("ref: ")
    head = CommitId(git.run("rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").text)
    integration = opened(layout, git)
    with looking_at(integration, integration.cwd, git_dir / "index") as looking:
        staged = _staged_tree(looking)
    # The branch may have been moved from elsewhere since: then its index is that of the last commit made in there.
    held = [f"{commit}^{{tree}}" for commit in (head, *_last_logged(git_dir))]
    if staged in ("", *(git.run("rev-parse", "--verify", "--quiet", tree, ok=(0, 1, 128)).text for tree in held)):
        return None
    note = Note(why="its files were gone: what was staged", head=name if name != named else "detached")
    return _keep(integration, git, task_id, staged, "", head, note, at)


def _last_logged(git_dir: Path) -> tuple[str, ...]:
    """The commit that HEAD was at last, by its own log."""
    try:
        lines = (git_dir / "logs" / "HEAD").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return tuple(lines[-1].split(" ")[1:2]) if lines else ()


def _parents(commits: Sequence[str]) -> list[str]:
    return [part for commit in commits for part in ("-p", commit)]
