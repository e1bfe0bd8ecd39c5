"""The line comments of a review against the files that they speak of."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from conductor_git import integration
from conductor_git.errors import NotFound
from conductor_git.history import Object, objects
from conductor_git.names import CommitId
from conductor_git.project import Project
from conductor_git.review import LineComment, Side
from conductor_git.run import Run
from conductor_git.wording import counted
from conductor_git.workflow.diff import base_of

_AT_ONCE: Final = 50


def require_there(project: Project, run: Run, comments: Sequence[LineComment]) -> None:
    """Refuse a comment on a file or a line that is not there (`NotFound`): it would be delivered to nobody.

    The file need not be one that the task changes: what was forgotten elsewhere is worth a comment too. A line of the
    old side counts in the file as the merge base has it.
    """
    if not comments:
        return
    assert run.head_commit is not None
    commits = {Side.NEW: run.head_commit, Side.OLD: base_of(project, run, run.head_commit)}
    places = sorted({(comment.side, comment.path) for comment in comments})
    lines = dict(_line_counts(project, commits, places))
    for comment in comments:
        _require_line(comment, commits[comment.side], lines[comment.side, comment.path])


def _line_counts(
    project: Project, commits: dict[Side, CommitId], places: Sequence[tuple[Side, str]]
) -> Iterable[tuple[tuple[Side, str], int | None]]:
    looking = integration.opened(project.layout, project.git)
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        found = objects(looking, *(f"{commits[side]}:{path}" for side, path in some))
        yield from zip(some, map(_lines, found), strict=True)


def _lines(file: Object | None) -> int | None:
    """How many lines a file has; an empty one has one to speak of. None for what is no file."""
    if file is None or file.kind != "blob":
        return None
    return max(1, file.data.count(b"\n") + (not file.data.endswith(b"\n")))


def _require_line(comment: LineComment, commit: CommitId, lines: int | None) -> None:
    if lines is None:
        raise NotFound(
            f"{comment.path} is no file of {commit[:10]}",
            hint=f"git ls-tree -r --name-only {commit[:10]}",
            path=comment.path,
            commit=commit,
        )
    if comment.line > lines:
        raise NotFound(
            f"{comment.path} has {counted(lines, 'line')} in {commit[:10]}, and none is {comment.line}",
            hint=f"git show {shlex.quote(f'{commit[:10]}:{comment.path}')}",
            path=comment.path,
            line=comment.line,
            lines=lines,
            commit=commit,
        )
