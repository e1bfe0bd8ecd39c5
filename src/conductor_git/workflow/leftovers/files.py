"""Files of ours that nobody needs: logs of landings, the quarantine, scratch directories of killed commands."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from conductor_git import directories, durable, integration, journal
from conductor_git.errors import BadRecord
from conductor_git.layout import Layout
from conductor_git.project import Project
from conductor_git.run import Landing, Run
from conductor_git.workflow.leftovers.archive import left_behind
from conductor_git.workflow.leftovers.kind import IN_USE, Found, Held, Kind, Leftover, Since, size_of

_LOGS: Final = "logs"
_QUARANTINE: Final = "quarantine"
_SCRATCH: Final = "scratch"


def _old(folder: Path, since: Since) -> list[tuple[Path, datetime]]:
    """What lies in `folder` and has not changed since; a file that was moved there keeps its own time of change."""
    return [(path, at) for path, at in _dated(directories.matching(folder, "*")) if at < since.before]


def _dated(paths: Iterable[Path]) -> Iterator[tuple[Path, datetime]]:
    """When each that is still there, or something in it, has changed last."""
    for path in paths:
        inside = directories.below(path) if not path.is_symlink() else ()
        if found := list(directories.statuses((path, *inside))):
            yield path, datetime.fromtimestamp(max(max(one.st_mtime, one.st_ctime) for one in found), UTC)


def _find_logs(project: Project, since: Since) -> Found:
    old = _old(project.layout.state_dir / "landings", since)
    if not old:
        return Found()
    runs = list(project.runs.scan())
    if why := _unsure(project, runs):
        return Found(held=tuple(Held(_LOGS, path.name, why) for path, _ in old))
    named = {name for run in runs if isinstance(run, Run) for name in named_landings(run)}
    why = "no record names this landing, and it is older than the retention"
    return Found(tuple(_leftover(_LOGS, path, why, at) for path, at in old if path.name not in named))


def _leftover(kind: str, path: Path, why: str, at: datetime) -> Leftover:
    return Leftover(kind, path.name, why, at, path, size=size_of(path))


def _unsure(project: Project, runs: list[Run | BadRecord]) -> str:
    """Why it cannot be told which landings are named; empty where it can."""
    if any(isinstance(run, BadRecord) for run in runs):
        return "a record cannot be read, and may name it"
    return "a command is under way, and may be about to name it" if journal.pending(project.layout) else ""


def named_landings(run: Run) -> Iterator[str]:
    """The names of the landings whose logs the record is about; some may be empty."""
    yield run.merge_commit or ""
    for landing in run.landings:
        yield from _of_landing(landing)


def _of_landing(landing: Landing) -> Iterator[str]:
    yield landing.landing_id
    yield landing.merge_commit or ""
    yield from (Path(gate.log).parent.name for gate in landing.gates)


def _find_quarantine(project: Project, since: Since) -> Found:
    why = "set aside by a recovery that is older than the retention"
    old = _old(project.layout.quarantine, since)
    return Found(tuple(_leftover(_QUARANTINE, path, why, at) for path, at in old))


def _find_scratch(project: Project, since: Since) -> Found:  # noqa: ARG001 - its lock tells, and not its age
    why = "the command that used it was killed: its lock is free"
    places = (*integration.stale_scratch(project.layout), *_left_in_archive(project.layout))
    return Found(tuple(_leftover(_SCRATCH, place, why, at) for place, at in _dated(places)))


def _left_in_archive(layout: Layout) -> list[Path]:
    return [] if durable.is_locked(layout.locks / "archive") else left_behind(layout.archive)


def _remove(project: Project, leftover: Leftover, at: datetime) -> str:  # noqa: ARG001 - as every kind
    assert leftover.path is not None
    if leftover.path.is_dir() and not leftover.path.is_symlink():
        shutil.rmtree(leftover.path, ignore_errors=True)
    else:
        leftover.path.unlink(missing_ok=True)
    return "it could not be removed" if leftover.path.exists() else ""


def _remove_scratch(project: Project, leftover: Leftover, at: datetime) -> str:
    assert leftover.path is not None
    if leftover.path.is_relative_to(project.layout.archive):
        with durable.try_lock(project.layout.locks / "archive") as held:
            return IN_USE if held is None else _remove(project, leftover, at)
    integration.drop_scratch(project.layout)
    return IN_USE if leftover.path.exists() else ""


LOGS: Final = Kind(_LOGS, "log folder", _find_logs, _remove)
QUARANTINE: Final = Kind(_QUARANTINE, "quarantined file", _find_quarantine, _remove)
SCRATCH: Final = Kind(_SCRATCH, "scratch folder", _find_scratch, _remove_scratch)
