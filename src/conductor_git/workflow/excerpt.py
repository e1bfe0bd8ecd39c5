"""excerpt: a part of a file that an agent or a gate wrote, without secrets, for those who cannot open it themselves."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conductor_git import directories, durable
from conductor_git.errors import NotFound
from conductor_git.masking import REACH, mask_bytes, seam
from conductor_git.names import CommitId, RunId, TaskId
from conductor_git.project import Project
from conductor_git.workflow.following import secrets

ATTEMPT_FILES: Final = ("prompt.md", "stdout.log", "stderr.log", "output.md")
"""What of an attempt's folder is shown; nothing else that lies there is."""
MOST_BYTES: Final = 1 << 20
_GATE_LOG: Final = re.compile(r"[0-9]{2,}-[A-Za-z0-9][A-Za-z0-9._-]*\.log", re.ASCII)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Bytes `offset` to `next_offset` of a file of `size` bytes, as text, secrets masked."""

    name: str
    size: int
    offset: int
    next_offset: int
    text: str


def attempt_files(project: Project, task_id: TaskId, run_id: RunId) -> tuple[tuple[str, int], ...]:
    """The files of an attempt that can be read, with their sizes in bytes."""
    folder = project.layout.attempt(task_id, run_id)
    return tuple((name, size) for name in ATTEMPT_FILES if (size := _size(folder / name)) is not None)


def attempt_file(
    project: Project, task_id: TaskId, run_id: RunId, name: str, *, offset: int = 0, limit: int = MOST_BYTES
) -> Excerpt:
    """A part of one of `ATTEMPT_FILES`; `NotFound` for any other name, and where there is no such attempt or file."""
    require_attempt(project, task_id, run_id)
    if name not in ATTEMPT_FILES:
        raise NotFound(f"an attempt has no file {name!r} to show", hint=f"conductor-git log {task_id}", file=name)
    return excerpt(project.layout.attempt(task_id, run_id) / name, offset=offset, limit=limit)


def require_attempt(project: Project, task_id: TaskId, run_id: str) -> RunId:
    """The id of an attempt that is on the task's record: no other text becomes part of a path."""
    run = project.runs.get(task_id)
    for attempt in run.attempts:
        if attempt.run_id == run_id:
            return attempt.run_id
    raise NotFound(
        f"{task_id} has no attempt {run_id!r} on record", hint=f"conductor-git show {task_id}", task_id=task_id
    )


def gate_logs(project: Project, landing_id: CommitId) -> tuple[tuple[str, int], ...]:
    """The logs of the gates that judged a landing, with their sizes, in the order in which they ran."""
    found = directories.matching(project.layout.landing(landing_id), "*")
    sizes = ((path.name, _size(path)) for path in found if _GATE_LOG.fullmatch(path.name))
    return tuple((name, size) for name, size in sizes if size is not None)


def gate_log(project: Project, landing_id: CommitId, name: str, *, offset: int = 0, limit: int = MOST_BYTES) -> Excerpt:
    """A part of the log of one gate; `NotFound` for a name that is no gate's log of this landing."""
    if name not in [log for log, _ in gate_logs(project, landing_id)]:
        raise NotFound(
            f"the landing {landing_id[:10]} has no gate log {name!r}", hint="conductor-git queue", landing_id=landing_id
        )
    return excerpt(project.layout.landing(landing_id) / name, offset=offset, limit=limit)


def excerpt(path: Path, *, offset: int = 0, limit: int = MOST_BYTES) -> Excerpt:
    """`limit` bytes of a plain file from `offset` on, `UnsafePath` for a link and `NotFound` where there is none.

    Neither end lies in a secret or in a character: the end moves on behind one, the start too. Going on at
    `next_offset`, nothing is left out and nothing comes twice.
    """
    try:
        descriptor = durable.open_regular(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"there is no file {path.name} here", hint="conductor-git status --all", file=path.name
        ) from None
    with os.fdopen(descriptor, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        before = max(0, min(offset, size) - REACH)
        file.seek(before)
        data = file.read(min(offset, size) - before + min(limit, MOST_BYTES) + REACH)
    start = _cut(data, min(offset, size) - before)
    end = max(start, _cut(data, min(len(data), min(offset, size) - before + min(limit, MOST_BYTES))))
    text = mask_bytes(data[start:end], secrets()).decode("utf-8", "replace")
    return Excerpt(path.name, size, before + start, before + end, text)


def _cut(data: bytes, at: int) -> int:
    """Where `data` can be cut, at `at` or as soon after it as no secret and no character is cut."""
    _, at = seam(data, at, secrets())
    while at < len(data) and data[at] & 0xC0 == 0x80:  # within a character of UTF-8
        at += 1
    return at


def _size(path: Path) -> int | None:
    try:
        return path.stat(follow_symlinks=False).st_size if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None
