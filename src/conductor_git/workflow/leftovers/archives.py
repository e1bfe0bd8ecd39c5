"""What gc itself archived, and drops for good: only where somebody asks for it by name and age."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from conductor_git import directories, durable
from conductor_git.project import Project
from conductor_git.workflow.leftovers.kind import Found, Kind, Leftover, Since, size_of

_NAME: Final = "archive"


def _find(project: Project, since: Since) -> Found:
    files = [path for folder in _folders(project) for path in directories.matching(folder, "*.gz")]
    times = [(path, status.st_mtime) for path in files for status in directories.statuses([path])]
    dated = ((path, datetime.fromtimestamp(time, UTC)) for path, time in times)
    return Found(tuple(_leftover(path, at) for path, at in dated if at < since.before))


def _folders(project: Project) -> tuple[Path, Path]:
    return project.layout.archived_tasks, project.layout.archived_bus


def _leftover(path: Path, at: datetime) -> Leftover:
    return Leftover(_NAME, path.name, "you asked for it, and nothing brings it back", at, path, size=size_of(path))


def _remove(project: Project, leftover: Leftover, at: datetime) -> str:  # noqa: ARG001 - as every kind
    assert leftover.path is not None
    with durable.lock(project.layout.locks / "archive", purpose="gc"):
        durable.remove(leftover.path)
    return ""


ARCHIVES: Final = Kind(_NAME, "archive", _find, _remove, "archives")
