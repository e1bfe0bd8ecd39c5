"""Ignored files that come along into a new worktree: those that an include file lists, copied; others as links.

git says what matches, in the person's main checkout, and the new worktree says what it ignores. Only what both agree
on comes: nothing that git tracks is touched, and nothing that came shows in `git status`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from conductor_git import brought, durable
from conductor_git.errors import StateUnwritable, TooLarge, UnsafePath
from conductor_git.gitcmd import Git
from conductor_git.layout import OWN_FILES
from conductor_git.wording import several

_FILE_BYTES: Final = 1 << 18
_NAMED: Final = 5
_VENVS: Final = {"pyvenv.cfg": "a Python virtual environment", "conda-meta": "a conda environment"}
"""What lies at the top of a folder whose files name that folder by its absolute path, and what it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to come along: `file` lists it, in gitignore syntax, `links` are paths; all from the repository's top."""

    file: str = ""
    most_bytes: int = 0
    anyway: tuple[str, ...] = ()
    """Folders that come along although they hold absolute paths."""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Included:
    """What came along, and what a person should know about it, a line each."""

    files: int = 0
    size: int = 0
    links: int = 0
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Way:
    """From the main checkout to a worktree; `notes` grows."""

    git: Git
    repository: Path
    worktree: Path
    git_dir: Path
    notes: list[str] = field(default_factory=list)
    folders: dict[PurePosixPath, bool] = field(default_factory=dict)
    copies: frozenset[str] | None = None

    def is_as_it_came(self, path: str) -> bool:
        """Whether nobody has changed `path` in the worktree since it came; all of them are looked at once."""
        if self.copies is None:
            self.copies = brought.unchanged(self.git_dir, self.worktree)
        return path in self.copies

    @property
    def main(self) -> Git:
        return replace(self.git, cwd=self.repository, work_tree=self.repository)

    def ignored(self, paths: Sequence[str]) -> set[str]:
        """Those of `paths` that the worktree ignores, and so does not track."""
        stdin = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
        there = replace(self.git, cwd=self.worktree, git_dir=self.git_dir, work_tree=self.worktree)
        return set(there.run("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1)).fields) if paths else set()

    def leads_there(self, path: str) -> bool:
        """Whether no symbolic link or file of the worktree is on the way to `path`."""
        return all(map(self._is_folder, PurePosixPath(path).parents[:-1]))

    def _is_folder(self, folder: PurePosixPath) -> bool:
        if folder not in self.folders:
            place = self.worktree / folder
            self.folders[folder] = not os.path.lexists(place) or (place.is_dir() and not place.is_symlink())
        return self.folders[folder]

    def note(self, paths: Iterable[str], why: str) -> None:
        """Say `why` of `paths`, the first few by name; nothing where there are none."""
        named = sorted(paths)
        if named:
            more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
            self.notes.append(f"{several(named[:_NAMED])}{more} {why}")


def include(
    git: Git, repository: Path, worktree: Path, git_dir: Path, wanted: Wanted, *, set_up: bool = False
) -> Included:
    """Bring what is `wanted` from the main checkout `repository` into `worktree`, whose git dir is `git_dir`.

    Copies share their blocks with the original where the file system can; modes and times stay. Symbolic links come as
    links, if they stay inside, and are never followed; no repository comes. What is there already stays, but for an
    unchanged copy of a file that has changed since. With `set_up` a setup has made of the copies what it will, and no
    file comes as long as every original is what it was then. Before anything is copied: `TooLarge` over `most_bytes`,
    `StateUnwritable` where the disk has no room. A kill leaves a part, which goes with the worktree.
    """
    way = _Way(git, repository, worktree, git_dir)
    chosen = list(_chosen(way, wanted)) if _has_list(repository, wanted.file) else []
    if set_up and not _has_news(way, chosen):
        chosen = []
    size = _require_room(way, wanted, chosen)
    came = [path for path in chosen if _bring(way, path)]
    links = [path for path in wanted.links if _link(way, path)]
    brought.remember(git_dir, worktree, [*came, *links], copied=True)
    return Included(len(came), size, len(links), tuple(way.notes))


def _has_list(repository: Path, file: str) -> bool:
    """Whether the include file is there; `UnsafePath` where a symbolic link leads to it, or out of the repository."""
    path = repository / file
    if not file or not os.path.lexists(path):
        return False
    if not path.parent.resolve().is_relative_to(repository.resolve()) or path.is_symlink() or not path.is_file():
        raise UnsafePath(
            f"{path} lists what comes along into a worktree, and is no plain file of the repository",
            hint=f"ls -l {shlex.quote(str(path))}",
            path=str(path),
        )
    return True


def _chosen(way: _Way, wanted: Wanted) -> Iterator[str]:
    """The paths that come along, of those that the patterns match."""
    listed = way.main.run("ls-files", "-z", "--others", "--ignored", f"--exclude-from={wanted.file}").fields
    _note_idle(way, wanted.file, listed)
    plain = _without_repositories(way, [path for path in listed if not _is_ours(path)])
    moved = _without_venvs(way, plain, wanted.anyway)
    reached = [path for path in moved if way.leads_there(path)]
    way.note(set(moved) - set(reached), "would come through a symbolic link or file of the worktree, and stays behind")
    ignored = way.ignored(reached)
    why = f"is listed in {wanted.file}, and git does not ignore it where the worktree starts, so it stays behind"
    way.note(set(reached) - ignored, why)
    inside = {path for path in ignored if _stays_inside(way.repository, path)}
    way.note(ignored - inside, "is a symbolic link that leads out of the worktree, and stays behind")
    yield from (path for path in reached if path in inside)


def _is_ours(path: str) -> bool:
    parts = path.split("/")
    return ".git" in parts or parts[-1] in OWN_FILES


def _without_repositories(way: _Way, paths: Sequence[str]) -> list[str]:
    inner = {path for path in paths if path.endswith("/")}
    way.note(inner, "is a repository of its own, and stays behind")
    return [path for path in paths if path not in inner]


def _without_venvs(way: _Way, paths: Sequence[str], anyway: Sequence[str]) -> list[str]:
    asked = {PurePosixPath(path) for path in anyway}
    known: dict[PurePosixPath, str] = {}
    kept, left = [], set[PurePosixPath]()
    for path in paths:
        homes = [folder for folder in PurePosixPath(path).parents[:-1] if _venv(way.repository, folder, known)]
        if homes and not asked & {*homes}:
            left.add(homes[-1])
        else:
            kept.append(path)
    for folder in sorted(left):
        way.notes.append(
            f"{folder} is {known[folder]} and stays behind: its programs name {way.repository / folder} by that path, "
            "so a worker would run, and install into, the main checkout; let `setup` make one, or name it in "
            "`include_anyway`"
        )
    return kept


def _venv(repository: Path, folder: PurePosixPath, known: dict[PurePosixPath, str]) -> str:
    """What `folder` is, where its files name it by its absolute path; empty elsewhere."""
    if folder not in known:
        what = (said for name, said in _VENVS.items() if os.path.lexists(repository / folder / name))
        known[folder] = next(what, "")
    return known[folder]


def _note_idle(way: _Way, file: str, listed: Sequence[str]) -> None:
    text = durable.read_regular(way.repository / file, _FILE_BYTES).decode("utf-8", "surrogateescape")
    for line in dict.fromkeys(text.splitlines()):
        pattern = line.strip()
        if not pattern or pattern.startswith(("#", "!")) or _surely_matches(pattern, listed):
            continue
        if way.main.run("ls-files", "-z", "--others", "--ignored", "-x", pattern).out:
            continue
        why = "reaches out of the repository, and matches nothing" if ".." in pattern.split("/") else ""
        why = why or "matches no file that git does not track"
        way.notes.append(f"the pattern {pattern} in {file} {why}")


def _surely_matches(pattern: str, listed: Sequence[str]) -> bool:
    """Whether a pattern without wildcards is one of the paths, or of the folders they are in: git need not be asked."""
    if set(pattern) & set("*?[\\"):
        return False
    name = pattern.strip("/")
    if "/" in name or pattern.startswith("/"):
        return any(path == name or path.startswith(f"{name}/") for path in listed)
    return any(name in path.split("/") for path in listed)


def _stays_inside(repository: Path, path: str) -> bool:
    """Whether `path` is no symbolic link, or one that leads nowhere but into the same worktree, wherever that is."""
    link = repository / path
    if not link.is_symlink():
        return True
    to = str(link.readlink())
    lexical = os.path.normpath(PurePosixPath(path).parent / to)
    if to.startswith("/") or lexical.split("/")[0] in ("..", ".git"):
        return False
    real, top = link.resolve(), repository.resolve()
    return real.is_relative_to(top) and not real.is_relative_to(top / ".git")


def _require_room(way: _Way, wanted: Wanted, chosen: Sequence[str]) -> int:
    sizes = {path: _size(way.repository / path) for path in chosen}
    size = sum(sizes.values())
    if size > wanted.most_bytes:
        largest = max(sizes, key=sizes.__getitem__)
        raise TooLarge(
            f"what {wanted.file} lists has {_said(size)}, more than the {_said(wanted.most_bytes)} of `include_bytes`; "
            f"the largest is {largest}. Nothing was copied",
            hint=f"git ls-files --others --ignored --exclude-from={shlex.quote(wanted.file)}",
            path=wanted.file,
            limit=wanted.most_bytes,
            size=size,
        )
    disk = os.statvfs(way.worktree)
    if size and size > disk.f_bavail * disk.f_frsize:
        raise StateUnwritable(
            f"what {wanted.file} lists has {_said(size)}, and the disk of {way.worktree} has "
            f"{_said(disk.f_bavail * disk.f_frsize)} left. Nothing was copied",
            hint=f"df -h {shlex.quote(str(way.worktree.parent))}",
            path=wanted.file,
            size=size,
        )
    return size


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0  # it went while we looked


def _said(size: int) -> str:
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= one:
            return f"{size / one:.1f} {unit}"
    return f"{size} bytes"


def _bring(way: _Way, path: str) -> bool:
    """Copy one file or link; False where it has gone meanwhile, or something else is there."""
    source, target = way.repository / path, way.worktree / path
    try:
        found = source.lstat()
        if os.path.lexists(target) and not _is_outdated(way, path, found):
            return False
        target.unlink(missing_ok=True)
        _make_folders(way, path)
        if stat.S_ISLNK(found.st_mode):
            target.symlink_to(source.readlink())
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)
        else:
            _copy(source, target, found)
    except FileNotFoundError:
        return False
    except OSError as failure:
        raise durable.unwritable(target, failure) from failure
    return True


def _is_outdated(way: _Way, path: str, source: os.stat_result) -> bool:
    """Whether what is there is an unchanged copy of ours, of a file that has changed since."""
    there = (way.worktree / path).lstat()
    same = (there.st_size, there.st_mtime_ns) == (source.st_size, source.st_mtime_ns)
    return not same and way.is_as_it_came(path)


def _has_news(way: _Way, chosen: Sequence[str]) -> bool:
    """Whether an original has changed since its copy came, or has no copy yet."""
    then = brought.origins(way.git_dir)
    return any(then.get(path) != _looks(way.repository / path) for path in chosen)


def _looks(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _make_folders(way: _Way, path: str) -> None:
    for folder in reversed(PurePosixPath(path).parents[:-1]):
        place = way.worktree / folder
        if not place.is_dir():
            mode = (way.repository / folder).stat().st_mode
            place.mkdir(mode=0o700)
            place.chmod(stat.S_IMODE(mode) | 0o300)


def _copy(source: Path, target: Path, found: os.stat_result) -> None:
    before = durable.open_regular(source, os.O_RDONLY)
    with os.fdopen(before, "rb", buffering=0) as reading:
        # For nobody else to read before it has its own mode: it may be a secret.
        after = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(after, "wb", buffering=0) as writing:
            if not durable.clone(before, after):
                shutil.copyfileobj(reading, writing, 1 << 20)
            os.fchmod(after, stat.S_IMODE(found.st_mode) & 0o777)
            os.utime(after, ns=(found.st_atime_ns, found.st_mtime_ns))


def _link(way: _Way, path: str) -> bool:
    """Make the worktree's `path` a link to the main checkout's; where that cannot be, a note says why."""
    source, target, top = way.repository / path, way.worktree / path, way.repository.resolve()
    why = ""
    if not source.exists():
        why = "is not there"
    elif not source.resolve().is_relative_to(top) or source.resolve().is_relative_to(top / ".git"):
        why = "leads out of the repository"
    elif target.is_symlink() and target.readlink() == source:
        return True
    elif os.path.lexists(target) or not way.leads_there(path):
        why = "is something else in the worktree"
    elif path not in way.ignored([path]):
        why = f"would show in `git status`: a link is ignored by a pattern without a slash at its end, as `/{path}`"
    if why:
        way.notes.append(f"{path} is not linked: it {why}")
        return False
    try:
        _make_folders(way, path)
        target.symlink_to(source)
    except OSError as failure:
        raise durable.unwritable(target, failure) from failure
    return True
