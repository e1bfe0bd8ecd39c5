"""Operations that a kill interrupted, and locks: whose they are, and which of git's nobody will take away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Any, Final

from conductor_git import directories, durable, journal
from conductor_git.errors import ConductorError
from conductor_git.names import TaskId
from conductor_git.project import Project
from conductor_git.wording import age
from conductor_git.workflow.diagnosing.finding import Family, Finding, Ground
from conductor_git.workflow.recover import recover

_LONG_SECONDS: Final = 600.0
_HELD_FOR_LONG: Final = ("supervisors", "slots", "lent", "plans", "targets")
"""Locks that are held for as long as an agent or a queue works."""
_GIT_LOCKS: Final = ("*.lock", "worktrees/*/*.lock")


def _find(ground: Ground) -> Iterator[Finding]:
    for task_id in journal.pending(ground.layout):
        if task_id not in ground.unreadable and _is_left(ground, task_id):
            said = f"a command on {task_id} was killed, and what it was at is half done"
            yield Finding("INTERRUPTED", task_id, said, "conductor-git status", task_id)
    yield from _held(ground)
    yield from _left_by_git(ground)


def _is_left(ground: Ground, task_id: TaskId) -> bool:
    """The same intent before and after a moment in which its lock was free: its operation is not alive."""
    before = _stamp(ground.layout.intent(task_id))
    return not durable.is_locked(ground.layout.task_lock(task_id)) and _stamp(ground.layout.intent(task_id)) == before


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _held(ground: Ground) -> Iterator[Finding]:
    """Locks whose holder says that it has them for long; the kernel frees those of the dead."""
    for path in sorted(directories.below(ground.layout.locks)):
        name = path.relative_to(ground.layout.locks)
        if name.parts[0] in _HELD_FOR_LONG or not path.is_file() or path.is_symlink():
            continue
        said = _holder(path)
        since = _since(said)
        if since is None or (ground.now - since).total_seconds() < _LONG_SECONDS or not durable.is_locked(path):
            continue
        how_long = age((ground.now - since).total_seconds())
        words = f"{name} has been locked for {how_long}, by process {said.get('pid')} ({said.get('purpose')})"
        yield Finding("LOCK_HELD", str(name), words, f"ps -o pid,etime,args -p {said.get('pid')}")


def _holder(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(durable.read_regular(path, 4096).partition(b"\n")[0]))
    except (OSError, ValueError, TypeError, ConductorError):
        return {}


def _since(said: dict[str, Any]) -> datetime | None:
    try:
        return datetime.strptime(str(said.get("since")), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _left_by_git(ground: Ground) -> Iterator[Finding]:
    common = ground.layout.common_dir
    locks = [path for pattern in _GIT_LOCKS for path in directories.matching(common, pattern)]
    locks += sorted(path for path in directories.below(common / "refs") if path.suffix == ".lock")
    for path in locks:
        old = ground.now.timestamp() - _changed(path)
        if old > _LONG_SECONDS:
            said = f"{path} has been there for {age(old)}: git's own commands hold one for moments"
            command = f"mv {quote(str(path))} {quote(f'{path}.left')}  # once no git runs here: ps -C git"
            yield Finding("GIT_LOCK_LEFT", os.path.relpath(path, common), said, command)


def _changed(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return float("inf")


def _mend(project: Project, finding: Finding, at: datetime) -> str:
    done = recover(project, at=at)
    return f"finished or took back what was interrupted on {', '.join(done)}" if finding.subject in done else ""


INTERRUPTED = Family(_find, {"INTERRUPTED": _mend})
