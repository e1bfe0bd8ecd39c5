"""Which worker speaks: finds the context of a directory without starting git.

A context counts only where it belongs: in the worktree that it names, whose git dir is linked to the repository that
it names. So a copied or moved file, one planted further up, and one of another repository give nobody an identity.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from conductor_git import durable
from conductor_git.context import LIMIT, WorkerContext, decode, encode
from conductor_git.errors import BadContext, NoContext, StateUnwritable, TooLarge, UnsafePath
from conductor_git.gitdir import GitDir, git_dir_at, upwards
from conductor_git.layout import CANONICAL_CONTEXT_NAME, CONTEXT_NAME, Layout

VARIABLE: Final = "CONDUCTOR_WORKER_CTX"
_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG)


class Found(NamedTuple):
    """A context, and the file that says it."""

    context: WorkerContext
    path: Path


def find_context(start: Path, variables: Mapping[str, str]) -> Found:
    """The context of the worker that runs in the directory `start` with the environment `variables`.

    Looked at: CONDUCTOR_WORKER_CTX; then, from `start` upwards to the root, `.worker-ctx.json` and the canonical copy
    in the git dir of a linked worktree. The canonical copy is the authority: where the worktree's file is missing,
    unreadable or different, it is written anew, if that is possible. `BadContext` for one that lies where it does not
    belong, and for a variable that names none; `NoContext` where there is none at all.
    """
    if named := variables.get(VARIABLE):
        return _named(Path(os.path.realpath(start)) / named)
    for directory in upwards(start):
        if found := _Place.at(directory).find():
            return found
    raise NoContext(
        f"{os.path.realpath(start)} is not in a worker's worktree: {VARIABLE} is not set, and neither {CONTEXT_NAME} "
        "nor a copy of it in a worktree's git dir was found there or in a directory above",
        hint="conductor-git status",
        looked_at=[VARIABLE, *(str(directory / CONTEXT_NAME) for directory in upwards(start))],
    )


def place(context: WorkerContext, git_dir: Path) -> Path:
    """Write `context` into its worktree's `git_dir`, durably, then into the worktree; returns the latter path.

    A crash between the two leaves a worktree's file that is missing or older, which `find_context` mends.
    """
    data = encode(context)
    durable.replace(git_dir / CANONICAL_CONTEXT_NAME, data)
    local = context.worktree / CONTEXT_NAME
    durable.write_through(local, data)
    return local


def _named(path: Path) -> Found:
    """The context that the variable names: a worktree's file, or the canonical copy of one."""
    try:
        found = _Place.at(path.parent).find() if path.name == CONTEXT_NAME else _canonical_at(path)
    except BadContext as bad:
        raise BadContext(f"{VARIABLE}: {bad.message}", hint=bad.hint, **bad.facts) from bad
    if found is None:
        raise BadContext(f"{VARIABLE} names {path}, where no context is", hint=f"unset {VARIABLE}", path=str(path))
    return found


def _canonical_at(path: Path) -> Found | None:
    data = _read(path)
    if data is None:
        return None
    context = decode(data, str(path))
    home = _Place.at(context.worktree)
    if home.git_dir is None or not _same(path, home.git_dir.path / CANONICAL_CONTEXT_NAME):
        raise _refused(path, f"is not the context file of {context.worktree}", f"unset {VARIABLE}")
    home.require_owner(context)
    return Found(context, path)


class _Place(NamedTuple):
    """A directory that may be a worker's worktree: its own file, its git dir and the context kept in there."""

    local: Path
    git_dir: GitDir | None
    canonical: WorkerContext | None

    @classmethod
    def at(cls, directory: Path) -> _Place:
        git_dir = git_dir_at(directory)
        linked = git_dir is not None and git_dir.is_linked
        return cls(directory / CONTEXT_NAME, git_dir, _canonical_in(git_dir.path) if git_dir and linked else None)

    @property
    def directory(self) -> Path:
        return self.local.parent

    def find(self) -> Found | None:
        own = self._own()
        context = own or self.canonical
        if context is None:
            return None
        self.require_owner(context)
        if self.canonical is None or own == self.canonical:
            return Found(context, self.local)
        return self._put_back(self.canonical)

    def require_owner(self, context: WorkerContext) -> None:
        """Refuse a context that does not lie in its own worktree, with the command that puts things right."""
        if not _same(context.worktree, self.directory):
            raise self._elsewhere(context)
        if self.git_dir is None:
            raise _refused(self.local, "lies in a directory that is no checkout any more", self._repair(context))
        if self.canonical is not None and not _same(self.canonical.worktree, self.directory):
            said = f"leads to the git dir of another worktree, {self.canonical.worktree}"
            raise _refused(self.directory / ".git", said, self._repair(context))
        if not self.git_dir.is_linked or not _same(context.state_dir, Layout(self.git_dir.common).state_dir):
            said = f"speaks of {context.state_dir}, but lies in a checkout of {self.git_dir.common}"
            raise _refused(self.local, said, self._repair(context))

    def _own(self) -> WorkerContext | None:
        """What the file here says; None where there is none, and where it cannot be read but the git dir's can."""
        try:
            data = _read(self.local)
            return None if data is None else decode(data, str(self.local))
        except BadContext:
            if self.canonical is None:
                raise
            return None

    def _put_back(self, context: WorkerContext) -> Found:
        with suppress(StateUnwritable):
            durable.write_through(self.local, encode(context))
            return Found(context, self.local)
        assert self.git_dir is not None
        return Found(context, self.git_dir.path / CANONICAL_CONTEXT_NAME)

    def _elsewhere(self, context: WorkerContext) -> BadContext:
        """Told apart by what came along: the file alone, or the worktree as a whole."""
        whole = self.canonical is not None and self.canonical.worktree == context.worktree
        lost = self.git_dir is None and (self.directory / ".git").is_file()
        home = _quoted(context.worktree)
        if context.worktree.exists():
            command = f"cd {home}" if whole else f"rm {_quoted(self.local)}"
        elif (repository := self._moved_along(context)) is not None:
            command = f"cd {_quoted(repository)} && conductor-git doctor --fix"
        elif whole or lost:
            command = f"{self._mover()} {_quoted(self.directory)} {home}"
        else:
            command = f"rm {_quoted(self.local)}"
        said = f"was copied or moved: it is the context of {context.task_id} in {context.worktree}"
        return _refused(self.local, said, command)

    def _moved_along(self, context: WorkerContext) -> Path | None:
        """The repository, where it lies as it lay from the worktree: both were moved, and it is not where it was."""
        there = Path(os.path.normpath(self.directory / os.path.relpath(context.repository, context.worktree)))
        moved = not context.state_dir.exists() and (git_dir := git_dir_at(there)) is not None
        return there if moved and git_dir and Layout(git_dir.common).state_dir.is_dir() else None

    @staticmethod
    def _repair(context: WorkerContext) -> str:
        return f"git -C {_quoted(context.repository)} worktree repair"

    def _mover(self) -> str:
        """What moves this worktree back: git where git moved it, and knows it here."""
        if self.git_dir is None:
            return "mv"
        registered = _read(self.git_dir.path / "gitdir") or b""
        knows = _same(self.git_dir.path / os.fsdecode(registered.rstrip(b"\n")), self.directory / ".git")
        return f"git -C {_quoted(self.directory)} worktree move" if knows else "mv"


def _canonical_in(git_dir: Path) -> WorkerContext | None:
    with suppress(BadContext):
        path = git_dir / CANONICAL_CONTEXT_NAME
        data = _read(path)
        return None if data is None else decode(data, str(path))
    return None


def _read(path: Path) -> bytes | None:
    """The bytes of `path`; none of them, which no context is, for a link, a directory or a file that is too large."""
    try:
        return durable.read_regular(path, LIMIT)
    except (UnsafePath, TooLarge):
        return b""
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise _refused(path, f"cannot be read: {error.strerror}", f"ls -l {_quoted(path)}") from error


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def _refused(path: Path, what: str, hint: str) -> BadContext:
    return BadContext(f"{path} {what}", hint=hint, path=str(path))


def _quoted(path: Path) -> str:
    return quote(str(path))
