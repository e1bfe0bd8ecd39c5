"""The comments of reviewers in a patch: each below the line that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from conductor_git.cli.output import coloured, printable
from conductor_git.names import readable, short
from conductor_git.patch import Line, Part, parts
from conductor_git.review import Side
from conductor_git.workflow.diff import Remark

_BAR = "│ "


def with_comments(text: str, remarks: Sequence[Remark], stream: TextIO) -> str:
    """`text`, a patch, with the comments on it; those on what it does not show follow, and last the outdated ones."""
    now = [remark for remark in remarks if not remark.is_outdated]
    lines: list[str] = []
    for part in parts(text):
        mine = [remark for remark in now if _is_on(remark, part)]
        now = [remark for remark in now if remark not in mine]
        lines += _part(part, mine, stream)
    for title, left in (
        ("on files that this diff does not show", now),
        ("on earlier commits", [remark for remark in remarks if remark.is_outdated]),
    ):
        if left:
            lines += ["", f"comments {title}", *(row for remark in left for row in _away(remark, stream))]
    return "\n".join(lines) + "\n" if lines else ""


def _is_on(remark: Remark, part: Part) -> bool:
    path = part.new_path if remark.comment.side is Side.NEW else part.old_path
    return path is not None and readable(path) == remark.comment.path


def _part(part: Part, remarks: Sequence[Remark], stream: TextIO) -> Iterator[str]:
    left = list(remarks)
    for line in part.lines:
        yield line.text
        for remark in [remark for remark in left if _speaks_of(remark, line)]:
            left.remove(remark)
            yield from _rows(remark, "", stream)
    for remark in left:
        yield from _away(remark, stream)


def _speaks_of(remark: Remark, line: Line) -> bool:
    return remark.comment.line == (line.new if remark.comment.side is Side.NEW else line.old)


def _away(remark: Remark, stream: TextIO) -> Iterator[str]:
    """A comment that stands elsewhere than below its line, and says which that is."""
    comment = remark.comment
    place = f"{comment.path}:{comment.line}" + (" before" if comment.side is Side.OLD else "")
    yield from _rows(
        remark, f"{place} at {short(remark.review.commit)}, " if remark.is_outdated else f"{place}, ", stream
    )


def _rows(remark: Remark, place: str, stream: TextIO) -> Iterator[str]:
    first, *rest = printable(remark.comment.body).split("\n")
    yield coloured(f"{_BAR}{printable(place)}{printable(remark.review.reviewer)}: {first}", "33", stream)
    for row in rest:
        yield coloured(f"{_BAR}  {row}".rstrip(), "33", stream)
