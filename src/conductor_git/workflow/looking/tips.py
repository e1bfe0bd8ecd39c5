"""Where the branches are, remembered by a process that lives long for as long as no ref of git's changes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Final, NamedTuple

from conductor_git import history
from conductor_git.project import Project

_SETTLED_NS: Final = 2_000_000_000
"""Of what changed less than this ago, another change may leave no trace: some file systems count in two seconds."""


class _Look(NamedTuple):
    path: str
    inode: int
    changed_ns: int
    size: int


class _Known(NamedTuple):
    stamp: tuple[_Look, ...] | None
    """None where a later change may have left the same one."""
    tips: dict[str, str]


_known: dict[str, _Known] = {}
_lock = Lock()


def tips(project: Project, refs: Iterable[str]) -> dict[str, str]:
    """As `history.tips_of`; where the project's store is quick, git is asked only where a branch may have moved."""
    wanted = set(refs)
    if not wanted or not project.runs.is_quick:
        return history.tips_of(project.git, wanted)
    found = every(project)
    return {ref: found[ref] for ref in wanted if ref in found}


def every(project: Project) -> dict[str, str]:
    """Every branch with its commit, by full names; of a quick store, the same object only if none moved meanwhile.

    Where nobody tells whether one may have (`Project.has_moved`), every file that holds a branch is looked at each
    time, so that one is noticed also if it is written in place, which git itself never does.
    """
    if not project.runs.is_quick:
        return history.branch_tips(project.git).tips
    common = os.fspath(project.layout.common_dir)
    with _lock:  # one thread hears of a move; the others wait for what it finds
        known = _known.pop(common, None)  # should anything fail, git is asked the next time
        if project.has_moved is None or project.has_moved() or known is None:
            known, is_own = _looked_at(project, common, known)
            if not is_own:  # a branch that is another name for what is none moves with that
                return known.tips
        _known[common] = known
        return known.tips


def _looked_at(project: Project, common: str, known: _Known | None) -> tuple[_Known, bool]:
    """The branches as they are, and whether all of them are their own."""
    now, stamp = time.time_ns(), _stamp(common)
    if known is not None and stamp is not None and known.stamp == stamp:
        return known, True
    found = history.branch_tips(project.git)
    # The stamp is older than what git says: a change in between is seen at the next look.
    is_settled = stamp is not None and all(look.changed_ns < now - _SETTLED_NS for look in stamp)
    return _Known(stamp if is_settled else None, found.tips), found.is_own


def _stamp(common: str) -> tuple[_Look, ...] | None:
    """Every file that holds a branch; None where files do not tell, as with reftable."""
    if os.path.lexists(f"{common}/reftable"):
        return None
    try:
        return tuple(sorted([*_packed(f"{common}/packed-refs"), *_loose(f"{common}/refs/heads")]))
    except OSError:  # removed while we look, or not for us to see
        return None


def _packed(path: str) -> Iterator[_Look]:
    if os.path.lexists(path):
        yield _look(path, os.stat(path))  # noqa: PTH116 - a path per request


def _loose(directory: str) -> Iterator[_Look]:
    with os.scandir(directory) as entries:  # a third of what `Path` costs
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _loose(entry.path)
            else:
                yield _look(entry.path, entry.stat())


def _look(path: str, status: os.stat_result) -> _Look:
    return _Look(path, status.st_ino, status.st_ctime_ns, status.st_size)
