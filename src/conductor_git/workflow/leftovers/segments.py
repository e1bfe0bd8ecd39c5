"""Closed segments of the bus that everybody has read long ago: archived, compressed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from shlex import quote
from typing import Final

from conductor_git import directories, durable
from conductor_git.bus.current import current_address
from conductor_git.bus.segments.archived import archived_path
from conductor_git.bus.segments.listing import Segment, closed_segments
from conductor_git.errors import BadRecord, ConductorError
from conductor_git.layout import Layout
from conductor_git.message import id_key, id_time
from conductor_git.project import Project
from conductor_git.run import Run
from conductor_git.workflow.leftovers.archive import drop_parts, pack_file
from conductor_git.workflow.leftovers.kind import Found, Held, Kind, Leftover, Since, size_of

_NAME: Final = "bus segment"
_WHY: Final = "every reader is past it, and no task on record is in it: it goes to the archive"


def _find(project: Project, since: Since) -> Found:
    """The oldest ones, without a gap; never the newest closed one, which tells a new file where to go on."""
    closed = _closed(project.layout)
    leftovers, held = list[Leftover](), list[Held]()
    oldest = _oldest(project) if len(closed) > 1 else None
    readers = project.bus.readers() if len(closed) > 1 else {}
    for segment, following in pairwise(closed):
        status = next(directories.statuses([segment.path]), None)
        if status is None:
            continue  # another put it into the archive meanwhile
        at = datetime.fromtimestamp(status.st_mtime, UTC)
        if at >= since.before:
            break
        if why := _why_held(at, following, readers, oldest):
            held.append(Held(_NAME, segment.path.name, why))
            break
        leftovers.append(_leftover(segment, at))
    return Found(tuple(leftovers), tuple(held))


def _oldest(project: Project) -> Run | BadRecord | None:
    """The task on record that was spawned first: from there on the bus tells, step by step, what records say, and one
    that is lost is made again from it. One that cannot be read may be that."""
    runs = list(project.runs.scan())
    bad = next((run for run in runs if isinstance(run, BadRecord)), None)
    return bad or min((run for run in runs if isinstance(run, Run)), key=lambda run: run.created_at, default=None)


def _why_held(at: datetime, following: Segment, readers: Mapping[str, str], oldest: Run | BadRecord | None) -> str:
    if isinstance(oldest, BadRecord):
        return f"a record cannot be read, and may have to be made again from it: {oldest.facts.get('task_id')}"
    if oldest is not None and at >= oldest.created_at:
        return f"it may tell the steps of {oldest.task_id}, whose record is not in the archive"
    behind = [name for name, cursor in readers.items() if not _is_past(cursor, following)]
    return f"{behind[0]} has not read beyond it: conductor-git bus ack --as {behind[0]}" if behind else ""


def _closed(layout: Layout) -> list[Segment]:
    address = current_address(layout.state_dir)
    return closed_segments(address.path) if address.backend == "file" else []


def _is_past(cursor: str, following: Segment) -> bool:
    """A cursor of another tool tells no time, and may lie anywhere."""
    return id_time(cursor) is not None and id_key(cursor) >= id_key(following.first_id)


def _leftover(segment: Segment, at: datetime) -> Leftover:
    path = segment.path
    back = f"gzip -dc {quote(str(archived_path(path)))} >{quote(str(path))}"
    return Leftover(_NAME, path.name, _WHY, at, path, size=size_of(path), back=back)


def _remove(project: Project, leftover: Leftover, at: datetime) -> str:
    """Archive the segment, then remove it; a kill in between leaves both, and the next gc goes on from there."""
    assert leftover.path is not None
    try:
        with durable.lock(project.layout.locks / "archive", purpose="gc"):
            oldest = _find(project, Since(at, at)).leftovers[:1]
            if leftover.path not in [one.path for one in oldest]:
                return "an older one stays, or it is gone already"
            archived = archived_path(leftover.path)
            drop_parts(archived.parent)
            pack_file(leftover.path, archived)
            durable.remove(leftover.path)
    except (ConductorError, OSError) as trouble:
        return str(trouble)
    return ""


SEGMENTS: Final = Kind(_NAME, "bus segment", _find, _remove, "segments")
