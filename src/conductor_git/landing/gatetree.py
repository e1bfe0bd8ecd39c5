"""The tree in which the gates of a target run: at one commit, reused so that caches stay warm, and never trusted.

What ran in it before may have written anything anywhere in it. So git works on it with a repository and an index that
lie outside, and the `.git` that a gate finds there is a small repository made for this one use.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conductor_git import durable, process
from conductor_git.environment import inherited
from conductor_git.errors import GitFailed, GitKilled, StateUnwritable, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.layout import Layout
from conductor_git.names import CommitId

_CONFIG: Final = {
    # Only the commit's own `.gitignore` files say what may stay.
    "core.excludesFile": "/dev/null",
    # Nothing that a change could hide behind, and no second index file.
    "core.checkStat": "default",
    "core.ignoreStat": "false",
    "core.sparseCheckout": "false",
    "core.splitIndex": "false",
    "core.trustctime": "true",
    "core.untrackedCache": "false",
    "submodule.recurse": "false",
}
_STEERING: Final = (".git", ".gitattributes", ".gitignore")
_GITLINK: Final = "160000"
_UNWRITTEN: Final = re.compile(r"No space left|unable to (write|create) ")
"""What git says of a file that it could not write, in its own language."""
_ROUNDS: Final = 20
_ENOUGH: Final = 64 * 1024 * 1024


class _Damaged(Exception):
    """The tree is not as a use of it may leave it; it is made anew."""


@dataclass(frozen=True, slots=True)
class GateTree:
    """The tree of one target. Every method wants the target's lease held, and no gate running."""

    integration: Git
    layout: Layout
    target: str

    @property
    def path(self) -> Path:
        return self.layout.gate_tree(self.target)

    @property
    def is_there(self) -> bool:
        return _is(stat.S_ISDIR, self.path)

    @property
    def _index(self) -> Path:
        return _beside(self.path, "index")

    def put(self, commit: CommitId, base: CommitId | None = None) -> None:
        """Make the tree hold `commit`, and besides only what the `.gitignore` files of `base` and of `commit` ignore.

        Runs nothing but the person's own content filters. A tree that is broken, or was left by a kill, is thrown away
        and made anew; `StateUnwritable` where that cannot be done for want of space or rights.
        """
        _require_place(self.layout)
        try:
            self._reuse(commit, base)
        except GitKilled:
            raise
        except (_Damaged, GitFailed, OSError):
            self._make(commit)
        with _writing(self.path):
            self._give_repository(commit)

    @property
    def _git(self) -> Git:
        """Git on the tree's files, through the integration repository and an index that no gate is told of."""
        own = {"lfs.storage": str(self.layout.common_dir / "lfs"), **_CONFIG}
        config = {**self.integration.config, **own}
        return replace(self.integration, cwd=self.path, work_tree=self.path, index=self._index, config=config)

    def _reuse(self, commit: CommitId, base: CommitId | None) -> None:
        if not self.is_there or not _is(stat.S_ISREG, self._index):
            raise _Damaged
        _beside(self.path, "index.lock").unlink(missing_ok=True)
        for name in ("exclude", "attributes"):
            remove(self.integration.cwd / "info" / name)
        before: Mapping[str, str] = _listed(self._git.run("ls-files", "--stage", "-z").fields)
        if base is not None and self._ignores_differ(base, commit):
            before = self._moved(before, base)
        self._moved(before, commit)

    def _ignores_differ(self, one: CommitId, other: CommitId) -> bool:
        names = ("diff-tree", "-r", "--name-only", "--no-renames", "-z", one, other, "--", ":(top,glob)**/.gitignore")
        return bool(self.integration.run(*names).out)

    def _moved(self, before: Mapping[str, str], commit: CommitId) -> Mapping[str, str]:
        """Bring the tree from the files `before` to those of `commit`, which are returned."""
        after = _listed(self._git.run("ls-tree", "-r", "-z", "--full-tree", commit).fields)
        self._sweep(before, after)
        self._read(commit)
        self._clean(after)
        self._drop_repositories(_folders(after))
        return after

    def _sweep(self, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Take away what would steer git in the directories that it is about to write or has written."""
        top = self.path
        for folder in sorted(_folders([*before, *after])):
            place = f"{top}/{folder}"
            try:
                mode = os.lstat(place).st_mode
            except FileNotFoundError:
                continue
            if not stat.S_ISDIR(mode) or mode & stat.S_IRWXU != stat.S_IRWXU:
                raise _Damaged
            for name in _STEERING:
                if f"{folder}/{name}".lstrip("/") not in before and os.path.lexists(f"{place}/{name}"):
                    remove(Path(place, name))
        for name, mode_text in [*before.items(), *after.items()]:
            if mode_text == _GITLINK:
                remove(self.path / name)

    def _read(self, commit: CommitId) -> None:
        self._git.run("read-tree", "--reset", "-u", "--no-recurse-submodules", commit)

    def _clean(self, tracked: Mapping[str, str]) -> None:
        for _ in range(_ROUNDS):
            if self._git.run("clean", "-ffd").out:
                continue  # once is not always enough: what lies in a repository of its own comes to light
            hiding = self._hiding(tracked)
            if not hiding:
                return
            for name in hiding:
                remove(self.path / name)
        raise _Damaged

    def _hiding(self, tracked: Mapping[str, str]) -> set[str]:
        """The `.gitignore` files by which something stays and which the commit does not have."""
        ignored = self._git.run("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z").out
        if not ignored:
            return set()
        told = self._git.run("check-ignore", "--verbose", "-z", "--stdin", stdin=ignored, ok=(0, 1)).fields
        sources = set(told[0::4])
        if any(Path(source).name != ".gitignore" or Path(source).is_absolute() for source in sources):
            raise _Damaged
        return {source for source in sources if source not in tracked}

    def _drop_repositories(self, folders: set[str]) -> None:
        """Remove what git passes over: a directory that is not ignored, stays for what is in it, and has a `.git`."""
        top = self.path
        places = (f"{folder}/{name}".lstrip("/") for folder in folders for name in _directories(f"{top}/{folder}"))
        unknown = [place for place in places if place not in folders]
        stdin = b"".join(os.fsencode(place) + b"\0" for place in unknown)
        ignored = self._git.run("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1)).fields if unknown else []
        for place in (self.path / name for name in set(unknown).difference(ignored)):
            if any(".git" in (*names, *files) for _, names, files in os.walk(place)):
                remove(place)

    def _make(self, commit: CommitId) -> None:
        try:
            discard(self.layout, self.target)
            durable.make_directory(self.path)
            self._read(commit)
        except GitKilled:
            raise
        except GitFailed as failed:
            discard(self.layout, self.target)
            if _UNWRITTEN.search(failed.message):
                raise StateUnwritable(
                    f"{self.path} could not be written: {failed.message}",
                    hint=f"df -h {shlex.quote(str(self.layout.state_dir))}",
                    path=str(self.path),
                ) from failed
            raise

    def _give_repository(self, commit: CommitId) -> None:
        """Put a repository into the tree for the gates' own git: the project's objects and refs, HEAD at `commit`.

        The refs are copies, so whatever a gate does to them moves nothing; the next use begins with new ones.
        """
        place = self.path / ".git"
        for part in ("objects/info", "refs/heads", "info"):
            (place / part).mkdir(parents=True)
        config = (self.integration.cwd / "config").read_bytes()
        (place / "config").write_bytes(config + b"[core]\n\tbare = false\n\tfsmonitor = false\n[gc]\n\tauto = 0\n")
        (place / "objects/info/alternates").write_bytes(os.fsencode(f"{self.layout.common_dir / 'objects'}\n"))
        (place / "packed-refs").write_bytes(self._refs())
        for name, source in (("index", self._index), ("shallow", self.layout.common_dir / "shallow")):
            if source.is_file():
                shutil.copy2(source, place / name)
        (place / "HEAD").write_text(f"{commit}\n")

    def _refs(self) -> bytes:
        project = replace(self.integration, cwd=self.layout.common_dir, git_dir=self.layout.common_dir, objects=None)
        names = ("refs/heads/", "refs/remotes/", "refs/tags/")
        return project.run("for-each-ref", "--format=%(objectname) %(refname)", *names, ok=(0, 1, 128)).out


def discard(layout: Layout, target: str) -> None:
    """Remove the tree of `target`, whatever has become of it. Call it with the lease of the target held."""
    discard_tree(layout, layout.gate_tree(target))


def discard_tree(layout: Layout, tree: Path) -> None:
    """As `discard`, for a tree whose target is known by its name only."""
    _require_place(layout)
    with _writing(tree):
        for place in (tree, _beside(tree, "index"), _beside(tree, "index.lock")):
            remove(place)


def make_room(layout: Layout, target: str) -> None:
    """Discard the tree of `target` if what lies in it may be why the disk is full."""
    with _writing(layout.gates):
        disk = os.statvfs(layout.gates)
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free < min(_ENOUGH, size // 20):
        discard(layout, target)


def _beside(tree: Path, what: str) -> Path:
    return tree.with_name(f"{tree.name}.{what}")


def _require_place(layout: Layout) -> None:
    if layout.gates.is_symlink():
        raise UnsafePath(
            f"{layout.gates} is a symbolic link, and what it leads to would be cleaned",
            hint=f"rm {shlex.quote(str(layout.gates))}",
            path=str(layout.gates),
        )


@contextmanager
def guarded(integration: Git) -> Iterator[None]:
    """Give the integration repository back the files it had, should the block have changed them."""
    names = ("objects/info/alternates", "config", "HEAD")
    before = {integration.cwd / name: (integration.cwd / name).read_bytes() for name in names}
    try:
        yield
    finally:
        for path, data in before.items():
            if not path.is_file() or path.is_symlink() or path.read_bytes() != data:
                remove(path)
                durable.make_directory(path.parent)
                durable.replace(path, data)


def remove(path: Path) -> None:
    """Remove `path`, whatever it is, directories that nobody may write too; never what a link leads to."""
    if not os.path.lexists(path):
        return
    if not _is(stat.S_ISDIR, path):
        path.unlink()
        return
    try:
        shutil.rmtree(path)
    except (PermissionError, RecursionError):
        # Neither recurses as deep as a directory can be nested, and neither follows a link below `path`.
        for command in ("chmod", "-R", "u+rwx"), ("rm", "-rf"):
            process.capture([*command, str(path)], cwd=path.parent, environment=inherited(), seconds=600)
        if os.path.lexists(path):
            raise


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Whether `path` itself, not what a link leads to, is of the `kind`."""
    try:
        return kind(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _listed(fields: Iterable[str]) -> dict[str, str]:
    """Path → mode, from `ls-files --stage -z` or `ls-tree -r -z`."""
    pairs = (field.partition("\t") for field in fields)
    return {name: head.partition(" ")[0] for head, _, name in pairs}


def _folders(names: Iterable[str]) -> set[str]:
    """The directories of `names`, the tree's own (the empty name) among them."""
    found = {""}
    for name in names:
        folder = name.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _directories(place: str) -> list[str]:
    with os.scandir(place) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise durable.unwritable(path, error) from error
