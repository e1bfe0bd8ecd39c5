"""landings: what was put on which target, and why it could be. Reads only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conductor_git.errors import BadInput, NotFound
from conductor_git.landing.evidence import read
from conductor_git.names import CommitId
from conductor_git.project import Project
from conductor_git.record import BadField, parse_commit


def parse_landing(text: str) -> CommitId:
    """`text` as the id of a landing, which is the whole id of a commit (`BadInput`)."""
    try:
        return parse_commit(text)
    except BadField as bad:
        raise BadInput(
            f"{text[:80]!r} names no landing: it is the whole id of a commit", hint="conductor-git queue"
        ) from bad


def landings(project: Project, *, limit: int) -> tuple[dict[str, Any], ...]:
    """The evidence of the last `limit` landings, the newest first, by when it was written."""
    try:
        folders = [path for path in project.layout.landings.iterdir() if _written(path) is not None]
    except FileNotFoundError:
        return ()
    folders.sort(key=lambda path: (_written(path) or 0, path.name), reverse=True)
    found = (read(project.layout, path.name) for path in folders[:limit])
    return tuple(one for one in found if one is not None)


def landing(project: Project, landing_id: CommitId) -> dict[str, Any] | None:
    """The evidence of one landing; None where gates judged it and it never landed. `NotFound` for others."""
    found = read(project.layout, landing_id)
    if found is None and not project.layout.landing(landing_id).is_dir():
        raise NotFound(f"there is no landing {landing_id}", hint="conductor-git queue", landing_id=landing_id)
    return found


def _written(folder: Path) -> int | None:
    try:
        return (folder / "evidence.json").stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return None
