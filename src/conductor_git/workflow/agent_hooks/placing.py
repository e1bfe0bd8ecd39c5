"""The settings of agents in one worktree: put in, and taken out again to the byte.

The worktree is its worker's, who may have put anything anywhere: a folder that is a link would lead to settings of the
person, so nothing is read or written through one. What was there before is kept in the worktree's git dir, which goes
when the worktree goes.
"""

from __future__ import annotations

import json
import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from conductor_git import brought, durable
from conductor_git.errors import StateUnwritable, TooLarge, UnsafePath
from conductor_git.workflow.agent_hooks.settings import HOMES, Home, with_ours, without_ours

KEPT: Final = "conductor-agent-hooks.json"
"""The file in a worktree's git dir that says what was put in, and what was there before."""
IGNORE: Final = ".gitignore"
_LIMIT: Final = 1 << 20
_OURS: Final = frozenset(path for home in HOMES for path in (home.path, f"{home.folder}/{IGNORE}"))
"""What we write, and all that is ever taken back: the git dir is the worker's to write, too."""


class Kept(NamedTuple):
    """Of a file: what was there before (None: nothing), and the hash of what we made of it."""

    before: bytes | None
    made: str


class Skipped(NamedTuple):
    path: str
    why: str


def ignoring(home: Home) -> bytes:
    """A `.gitignore` that hides the settings and itself, so that no file that the project shares has to change."""
    return f"# made by conductor-git; goes when its hooks go\n/{IGNORE}\n/{home.file}\n".encode()


def prepare(worktree: Path, git_dir: Path) -> Iterator[Home]:
    """Let git ignore the settings where nothing says so yet, and yield the agents whose folder is a plain one."""
    for home in HOMES:
        folder = worktree / home.folder
        with suppress(StateUnwritable):  # its worker took our right to write there; told by `put_in`
            if not _is_plain(folder, worktree):
                continue
            if not os.path.lexists(folder / IGNORE):
                _put(worktree, git_dir, f"{home.folder}/{IGNORE}", None, ignoring(home))
        yield home


def put_in(worktree: Path, git_dir: Path, homes: Collection[Home], ignored: Collection[str]) -> tuple[Skipped, ...]:
    """Write our hooks into the settings of `homes`; those that git does not ignore, or that say what we cannot read,
    are left alone and returned with the reason."""
    skipped = []
    for home in HOMES:
        try:
            why = _put_one(worktree, git_dir, home, ignored) if home in homes else "its folder is a link, or no folder"
        except (OSError, StateUnwritable) as refused:
            why = f"it cannot be written: {refused}"
        if why:
            skipped.append(Skipped(home.path, why))
            _take(worktree, git_dir, f"{home.folder}/{IGNORE}")
    # What is ours alone can be had again: a removal of the worktree keeps no salvage of it.
    brought.remember(git_dir, worktree, (path for path, kept in _kept(git_dir).items() if kept.before is None))
    return tuple(skipped)


def _put_one(worktree: Path, git_dir: Path, home: Home, ignored: Collection[str]) -> str:
    if home.path not in ignored:
        return "git does not ignore it here, so that our hooks would enter a commit"
    try:
        now = _content(worktree / home.path)
    except (UnsafePath, TooLarge):
        return "it is no plain file"
    kept = _kept(git_dir).get(home.path)
    before = kept.before if kept and now is not None and _hash(now) == kept.made else now
    wanted = with_ours(before, home.agent)
    if wanted is None:
        return "it holds no settings that conductor-git can read"
    if wanted != now:
        _put(worktree, git_dir, home.path, before, wanted)
    return ""


def take_out(worktree: Path, git_dir: Path) -> tuple[Skipped, ...]:
    """Take out what `put_in` wrote. What is as we made it becomes what it was, to the byte; of what somebody edited
    since, our hooks alone go."""
    left = [_take(worktree, git_dir, path) for path in reversed(_kept(git_dir))]
    return tuple(one for one in left if one is not None)


def is_in(worktree: Path, git_dir: Path) -> tuple[str, ...]:
    """The settings that are as we made them."""
    return tuple(
        path
        for path, kept in _kept(git_dir).items()
        if not path.endswith(IGNORE) and _is_as_made(worktree / path, kept)
    )


def _put(worktree: Path, git_dir: Path, path: str, before: bytes | None, wanted: bytes) -> None:
    # What was there is kept first: a kill between the two leaves the file as it was.
    _keep(git_dir, {**_kept(git_dir), path: Kept(before, _hash(wanted))})
    folder = (worktree / path).parent
    durable.make_directory(folder)
    if _is_plain(folder, worktree):
        _write(worktree / path, wanted)


def _take(worktree: Path, git_dir: Path, path: str) -> Skipped | None:
    kept = _kept(git_dir).get(path)
    if kept is None:
        return None
    file = worktree / path
    if _is_plain(file.parent, worktree) and (why := _undo(file, kept)):
        return Skipped(path, why)
    _keep(git_dir, {name: one for name, one in _kept(git_dir).items() if name != path})
    with suppress(OSError):  # others have files in there
        file.parent.rmdir()
    return None


def _undo(file: Path, kept: Kept) -> str:
    try:
        now = _content(file)
    except (UnsafePath, TooLarge):
        return "it is no plain file any more"
    if now is None or now == kept.before:
        return ""
    if _hash(now) == kept.made:
        _restore(file, kept.before)
        return ""
    if file.name == IGNORE:
        return ""  # somebody's own by now
    rest = without_ours(now)
    if rest is None:
        return "somebody edited it, and it cannot be read any more"
    _restore(file, rest)
    return ""


def _restore(file: Path, data: bytes | None) -> None:
    if data is None:
        durable.remove(file)
    else:
        _write(file, data)


def _write(file: Path, data: bytes) -> None:
    """Whoever could read the file before can read it afterwards, and nobody else."""
    mode = stat.S_IMODE(file.lstat().st_mode) if os.path.lexists(file) else 0o644
    durable.replace(file, data, mode=mode)


def _is_plain(folder: Path, worktree: Path) -> bool:
    """Whether `folder` is a directory of the worktree itself, or can become one."""
    if not os.path.lexists(folder):
        return True
    return folder.is_dir() and os.path.realpath(folder) == str(Path(os.path.realpath(worktree)) / folder.name)


def _is_as_made(file: Path, kept: Kept) -> bool:
    with suppress(UnsafePath, TooLarge, OSError):
        now = _content(file)
        return now is not None and _hash(now) == kept.made
    return False


def _content(file: Path) -> bytes | None:
    try:
        return durable.read_regular(file, _LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()


def _kept(git_dir: Path) -> dict[str, Kept]:
    try:
        found = json.loads(durable.read_regular(git_dir / KEPT, 4 * _LIMIT))
        known = {path: one for path, one in found.items() if path in _OURS}
        return {path: Kept(_decoded(one["before"]), str(one["made"])) for path, one in known.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _keep(git_dir: Path, kept: Mapping[str, Kept]) -> None:
    if not kept:
        durable.remove(git_dir / KEPT)
        return
    tree = {path: {"before": _encoded(one.before), "made": one.made} for path, one in kept.items()}
    durable.write_through(git_dir / KEPT, json.dumps(tree, indent=2).encode())


def _encoded(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


def _decoded(text: object) -> bytes | None:
    return None if text is None else b64decode(str(text))
