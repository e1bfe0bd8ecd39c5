"""The diff of a task with all that the review page shows in it: coloured code, comments where they belong."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conductor_git import integration
from conductor_git.errors import NotFound
from conductor_git.history import Object, objects
from conductor_git.names import CommitId, TaskId, readable
from conductor_git.patch import Part, parts
from conductor_git.project import Project
from conductor_git.review import Review, Side, is_same_reviewer
from conductor_git.run import Run
from conductor_git.server.pages.changes import File, Line, Sources, file_of
from conductor_git.server.pages.code import Piece, coloured, marked
from conductor_git.store.reviews import FileReviews
from conductor_git.workflow.diff import Difference, Form, Remark, diff, remarks

_AT_ONCE: Final = 50
_MOST_COLOURED_FILES: Final = 300
_MOST_OPENED: Final = 2000

Place = tuple[str, str, int]
"""A line: its path, side and number."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What somebody reads who reviews a task: `base` and `head` say of what."""

    base: CommitId
    head: CommitId
    files: tuple[File, ...]
    placed: Mapping[Place, Sequence[Remark]]
    """The comments on `head`, by path, side and line."""
    places: Collection[Place]
    """The lines that are shown."""
    elsewhere: tuple[Remark, ...]
    """Those on lines that the diff does not show."""
    outdated: tuple[Remark, ...]
    reviews: tuple[Review, ...]
    is_since: bool = False
    """Whether `base` is a commit that was reviewed: lines that went are then not those of the target."""

    def shows(self, path: str, side: str, number: int) -> bool:
        """Whether a line that can be commented on is shown here."""
        return (path, side, number) in self.places

    @property
    def added(self) -> int:
        return sum(file.added for file in self.files)

    @property
    def removed(self) -> int:
        return sum(file.removed for file in self.files)

    def at(self, file: File, line: Line) -> Sequence[Remark]:
        """The comments on `line`; one that is in both versions has those of both."""
        new = self.placed.get((file.path, Side.NEW, line.new), ()) if line.new is not None else ()
        old_path = file.old_path or file.path
        has_old = line.old is not None and not self.is_since
        old = self.placed.get((old_path, Side.OLD, line.old or 0), ()) if has_old else ()
        return (*old, *new)


def reading(project: Project, task_id: TaskId, *, whole: int | None = None, since: CommitId | None = None) -> Reading:
    """The diff of `task_id` to be reviewed, or what of it came after the commit `since`.

    `whole` is the number of a long file that is shown all the same.
    """
    found = diff(project, task_id, Form.PATCH, to_comment=True, since=since)
    files = tuple(_files(project, found, whole))
    told = remarks(project, task_id, found.head)
    places = set(_places(files, with_old=since is None))
    placed, elsewhere = _placed(places, [remark for remark in told if not remark.is_outdated])
    reviewed = project.runs.get(task_id).review_of or task_id
    return Reading(
        base=found.base,
        head=found.head,
        files=files,
        placed=placed,
        places=places,
        elsewhere=elsewhere,
        outdated=tuple(remark for remark in told if remark.is_outdated),
        reviews=FileReviews(project.layout).all(reviewed),
        is_since=since is not None,
    )


def reviewed_before(project: Project, run: Run, name: str) -> CommitId | None:
    """The commit that the reviewer `name` reviewed last, where it is still there and is not the one in review."""
    told = [
        review for review in FileReviews(project.layout).all(run.task_id) if is_same_reviewer(review.reviewer, name)
    ]
    if not told or told[-1].commit == run.head_commit:
        return None
    (found,) = objects(integration.opened(project.layout, project.git), told[-1].commit)
    return told[-1].commit if found is not None and found.kind == "commit" else None


def _files(project: Project, found: Difference, whole: int | None) -> Iterator[File]:
    told = list(parts(found.text))
    sources = _sources(project, found, told[:_MOST_COLOURED_FILES])
    for number, part in enumerate(told, 1):
        mark = hashlib.sha256("\n".join(line.text for line in part.lines).encode("utf-8", "surrogateescape"))
        own = sources[number - 1] if number <= len(sources) else Sources()
        yield file_of(number, part, own, mark=mark.hexdigest()[:16], whole=number == whole)


def _sources(project: Project, found: Difference, told: Sequence[Part]) -> list[Sources]:
    looking = integration.opened(project.layout, project.git)
    made: list[Sources] = []
    for start in range(0, len(told), _AT_ONCE):
        some = told[start : start + _AT_ONCE]
        wanted = [_revision(found.base, part.old_path) for part in some]
        wanted += [_revision(found.head, part.new_path) for part in some]
        blobs = objects(looking, *wanted)
        made += [
            Sources(_lines(old, part.old_path), _lines(new, part.new_path))
            for part, old, new in zip(some, blobs[: len(some)], blobs[len(some) :], strict=True)
        ]
    return made


def _revision(commit: CommitId, path: str | None) -> str:
    """What git knows a file of a commit by; a path with a line end in it cannot be asked for, and is not coloured."""
    return "0" * len(commit) if path is None or "\n" in path else f"{commit}:{path}"


def _lines(file: Object | None, path: str | None) -> Sequence[Sequence[Piece]] | None:
    if file is None or file.kind != "blob" or path is None or b"\0" in file.data[:8192]:
        return None
    return coloured(readable(path), file.data.decode("utf-8", "surrogateescape"))


def _placed(
    shown: Collection[Place], told: Sequence[Remark]
) -> tuple[Mapping[Place, Sequence[Remark]], tuple[Remark, ...]]:
    placed: dict[Place, list[Remark]] = {}
    elsewhere = []
    for remark in told:
        place = (remark.comment.path, str(remark.comment.side), remark.comment.line)
        if place in shown:
            placed.setdefault(place, []).append(remark)
        else:
            elsewhere.append(remark)
    return placed, tuple(elsewhere)


def _places(files: Sequence[File], *, with_old: bool) -> Iterator[Place]:
    for file in files:
        for line in (line for hunk in file.hunks for line in hunk.lines):
            if line.new is not None:
                yield file.path, "new", line.new
            if line.old is not None and with_old:
                yield file.old_path or file.path, "old", line.old


def opened(project: Project, task_id: TaskId, head: str, path: str, span: tuple[int, int, int]) -> tuple[Line, ...]:
    """Folded lines of a file, unchanged there; `span` is the old and the new number of the first, and how many.

    `NotFound` where `head` is not what the task shows now, or changes no such file.
    """
    found = diff(project, task_id, Form.NAMES)
    if found.head != head or path not in found.files:
        raise NotFound("these lines are not of what is in review now", hint=f"conductor-git diff {task_id}")
    old, new, count = span
    (blob,) = objects(integration.opened(project.layout, project.git), _revision(found.head, path))
    lines = (_lines(blob, path) or ())[max(0, new - 1) : max(0, new - 1) + min(count, _MOST_OPENED)]
    return tuple(Line(old + at, new + at, marked(pieces)) for at, pieces in enumerate(lines))
