"""The machine: git, the file system's locks, space, and whether anything can be written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from conductor_git import durable
from conductor_git.errors import ConductorError, GitTooOld
from conductor_git.gitcmd import require_recent
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground

_LOW_BYTES: Final = 256 * 1024 * 1024
_NETWORK: Final = frozenset(
    "9p afs ceph cifs fuse.glusterfs fuse.s3fs fuse.sshfs glusterfs lustre ncpfs nfs nfs4 smb3 smbfs".split()
)


def _find(ground: Ground) -> Iterator[Finding]:
    yield from _git()
    state = ground.layout.state_dir
    place = state if state.is_dir() else ground.layout.common_dir
    yield from of_kind(place, file_system(place))
    yield from _writable(ground)
    yield from _space(ground)


def _git() -> Iterator[Finding]:
    try:
        require_recent()
    except GitTooOld as old:
        yield Finding("GIT_TOO_OLD", "git", old.message, "git --version")


def of_kind(place: Path, kind: str) -> Iterator[Finding]:
    if kind in _NETWORK:
        said = f"{place} is on a network file system ({kind}): for workers on several machines use team mode"
        yield Finding("NETWORK_FILE_SYSTEM", str(place), said, f"df -T {quote(str(place))}")


def file_system(place: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of file system that `place` is on, as Linux lists it (proc_pid_mounts(5)); "" where it cannot be told.

    The list holds blanks and backslashes of a path as octal escapes.
    """
    real, best, kind = Path(os.path.realpath(place)), -1, ""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    for line in lines:
        _, point, its_kind, *_ = line.split(" ")
        path = Path(point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\"))
        if real.is_relative_to(path) and len(path.parts) >= best:
            best, kind = len(path.parts), its_kind
    return kind


def _writable(ground: Ground) -> Iterator[Finding]:
    state, around = ground.layout.state_dir, ground.layout.common_dir
    if not state.is_dir():
        if not os.access(around, os.W_OK):  # asked, not tried: nobody who only looks makes the state directory
            yield Finding("READ_ONLY", str(around), f"{around} takes no write", f"ls -ld {quote(str(around))}")
        return
    try:
        yield from flock(ground.layout.locks, durable.is_locked)
    except (ConductorError, OSError) as refused:
        words = refused.message if isinstance(refused, ConductorError) else str(refused)
        yield Finding("READ_ONLY", str(state), f"nothing can be written: {words}", f"ls -ld {quote(str(state))}")


def flock(locks: Path, is_locked: Callable[[Path], bool]) -> Iterator[Finding]:
    """Whether a lock that is held keeps others out, as `is_locked` sees it."""
    probe = locks / "doctor-probe"
    with durable.lock(probe, seconds=5, purpose="doctor"):
        if not is_locked(probe):
            said = f"a lock in {locks} keeps nobody out: flock does not work on this file system"
            yield Finding("NO_FLOCK", str(locks), said, f"df -T {quote(str(locks))}")


def _space(ground: Ground) -> Iterator[Finding]:
    places = (ground.layout.common_dir, *(Path(run.worktree).parent for run in ground.live))
    yield from space(places, lambda place: shutil.disk_usage(place).free)


def space(places: Iterable[Path], free: Callable[[Path], int]) -> Iterator[Finding]:
    """One finding for each file system of `places` that has too little left."""
    seen: set[int] = set()
    for place in places:
        try:
            device = place.stat().st_dev
            if device in seen:
                continue
            left = free(place)
        except (FileNotFoundError, NotADirectoryError):
            continue  # the folder of worktrees goes with the last of them
        seen.add(device)
        if left < _LOW_BYTES:
            said = f"the file system of {place} has {left // (1024 * 1024)} MiB left"
            yield Finding("LOW_SPACE", str(place), said, "conductor-git gc")


MACHINE = Family(_find, {})
