"""Records that `gc` put into the archive: which there are, and the command that brings one back."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from conductor_git import directories
from conductor_git.errors import NotFound
from conductor_git.layout import Layout
from conductor_git.names import TaskId


@dataclass(frozen=True, slots=True)
class Archived:
    """A record in the archive, and the command that unpacks it; it overwrites nothing and joins no other task."""

    task_id: TaskId
    path: Path
    back: str


def archived(layout: Layout) -> tuple[Archived, ...]:
    """Every record in the archive, by task and by age."""
    paths = directories.matching(layout.archived_tasks, "*.tar.gz")
    named = [(TaskId(path.name.rsplit(".", 3)[0]), path) for path in paths]
    return tuple(Archived(task_id, path, unpacking(layout, task_id, path)) for task_id, path in named)


def unpacking(layout: Layout, task_id: TaskId, archive: Path) -> str:
    there, into = quote(str(layout.task(task_id))), quote(str(layout.state_dir))
    but = "".join(f" --exclude={quote(name)}" for name in _still_there(layout, archive))
    return f"test ! -e {there} && tar -xzk{but} -f {quote(str(archive))} -C {into}"


def _still_there(layout: Layout, archive: Path) -> list[str]:
    """The logs in the archive that a killed `gc` left in their place: `tar -k` would end with a failure for them."""
    import tarfile

    try:
        with tarfile.open(archive) as packed:
            names = {"/".join(name.split("/")[:2]) for name in packed.getnames()}
    except (OSError, EOFError, tarfile.TarError, zlib.error):
        return []
    logs = layout.landings.relative_to(layout.state_dir).as_posix()
    return sorted(name for name in names if name.startswith(f"{logs}/") and (layout.state_dir / name).is_dir())


def unknown_task(layout: Layout, task_id: TaskId) -> NotFound:
    """There is no such task; where the last one of this name is in the archive, that and how it comes back."""
    last = next((one for one in reversed(archived(layout)) if one.task_id == task_id), None)
    if last is None:
        return NotFound(f"there is no task {task_id}", hint="conductor-git status --all", task_id=task_id)
    said = f"there is no task {task_id} any more: its record is in the archive, {last.path}"
    return NotFound(said, hint=last.back, task_id=task_id, archive=str(last.path))
