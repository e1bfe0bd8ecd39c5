"""What a task changes, as the review page shows it: files, hunks, lines, and the gaps between them (no I/O)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import Final

from markupsafe import Markup

from conductor_git.names import readable
from conductor_git.patch import Line as PatchLine
from conductor_git.patch import Part
from conductor_git.server.pages.code import CARRIAGE_RETURN, Piece, changed_words, marked, plain

MOST_LINES: Final = 1500
"""Of a file that is shown before somebody asks for all of it."""
_MOST_COMPARED: Final = 400
"""So many pairs of a run of lines are looked at for the one that became the other."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the diff; a number is None where the line is not in that version."""

    old: int | None
    new: int | None
    code: Markup
    is_unended: bool = False
    """Whether the file ends with it, and without a newline."""

    @property
    def kind(self) -> str:
        return "del" if self.new is None else "add" if self.old is None else "same"

    @property
    def side(self) -> str:
        """The version that a comment on it speaks of."""
        return "old" if self.new is None else "new"

    @property
    def number(self) -> int:
        return (self.old if self.new is None else self.new) or 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Unchanged lines that are folded: from `old` and `new` on; `count` is None up to an end that is not known."""

    old: int
    new: int
    count: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    before: Gap | None
    heading: str
    lines: tuple[Line, ...]

    @property
    def pairs(self) -> tuple[tuple[Line | None, Line | None], ...]:
        """The lines side by side: what went against what came."""
        return tuple(_pairs(self.lines))


@dataclass(frozen=True, slots=True)
class File:
    """One file of the diff. `notes` says what is not in lines: a rename, a mode, that it is binary."""

    number: int
    path: str
    old_path: str | None
    kind: str
    notes: tuple[str, ...]
    hunks: tuple[Hunk, ...]
    after: Gap | None
    added: int
    removed: int
    mark: str
    """Changes when the file's change does: what was viewed is viewed until then."""
    is_held_back: bool = False

    @property
    def anchor(self) -> str:
        return f"file-{self.number}"


@dataclass(frozen=True, slots=True)
class Sources:
    """The coloured lines of a file before and after, where they could be read."""

    old: Sequence[Sequence[Piece]] | None = None
    new: Sequence[Sequence[Piece]] | None = None
    unended: Collection[PatchLine] = ()
    """The lines with which a file ends that has no newline at its end."""

    def pieces(self, line: PatchLine) -> Sequence[Piece]:
        shown = plain(line.text[1:])
        text = shown.removesuffix(CARRIAGE_RETURN)
        lines, number = (self.old, line.old) if line.new is None else (self.new, line.new)
        found = lines[number - 1] if lines and number is not None and number <= len(lines) else ()
        # What the patch does not have like this (bytes that are no text) is shown as the patch has it.
        same = found if "".join(piece for piece, _ in found) == text else ((text, ""),)
        is_told = text != shown and (line.old is None or line.new is None)
        return (*same, (CARRIAGE_RETURN, "t-c")) if is_told else same


def file_of(number: int, part: Part, sources: Sources, *, mark: str, whole: bool = False) -> File:
    """`part` of a patch as the page shows it; of a very long one only how much there is, unless it is asked for."""
    changed = [line for line in part.lines if (line.old is None) != (line.new is None)]
    is_held_back = len(part.lines) > MOST_LINES and not whole
    sources = replace(sources, unended=_unended(part.lines))
    hunks = () if is_held_back else tuple(_hunks(part.lines, sources))
    return File(
        number=number,
        path=readable(part.new_path or part.old_path or ""),
        old_path=readable(part.old_path) if part.old_path and part.old_path != part.new_path else None,
        kind=_kind(part),
        notes=tuple(_notes(part)),
        hunks=hunks,
        after=_after(hunks, sources) if hunks and part.new_path and part.old_path else None,
        added=sum(line.new is not None for line in changed),
        removed=sum(line.old is not None for line in changed),
        mark=mark,
        is_held_back=is_held_back,
    )


def _unended(lines: Iterable[PatchLine]) -> frozenset[PatchLine]:
    """The lines that git follows with `\\ No newline at end of file`."""
    return frozenset(line for line, after in pairwise(lines) if after.text.startswith("\\") and after.old is after.new)


def _kind(part: Part) -> str:
    if part.old_path is None:
        return "added"
    if part.new_path is None:
        return "deleted"
    return "renamed" if part.old_path != part.new_path else "changed"


def _notes(part: Part) -> Iterator[str]:
    for line in part.lines:
        if line.old is None and line.new is None:
            if line.text.startswith("@@"):
                return
            if line.text.startswith(("old mode", "new mode", "similarity", "Binary files", "new file mode 1")):
                yield readable(line.text)


def _hunks(lines: Iterable[PatchLine], sources: Sources) -> Iterator[Hunk]:
    heading, body, end = "", list[PatchLine](), (1, 1)
    for line in lines:
        if line.old is None and line.new is None:
            if line.text.startswith("@@"):
                if body:
                    yield _hunk(heading, body, end, sources)
                    end = _end(body, end)
                heading, body = readable(line.text.split("@@", 2)[2].strip()), []
        else:
            body.append(line)
    if body:
        yield _hunk(heading, body, end, sources)


def _hunk(heading: str, body: Sequence[PatchLine], end: tuple[int, int], sources: Sources) -> Hunk:
    old = next((line.old for line in body if line.old is not None), end[0])
    new = next((line.new for line in body if line.new is not None), end[1])
    count = min(old - end[0], new - end[1])
    gap = Gap(end[0], end[1], count) if count > 0 else None
    return Hunk(gap, heading, tuple(_lines(body, sources)))


def _end(body: Sequence[PatchLine], end: tuple[int, int]) -> tuple[int, int]:
    """The numbers of the lines that follow the hunk."""
    old = max((line.old for line in body if line.old is not None), default=end[0] - 1)
    new = max((line.new for line in body if line.new is not None), default=end[1] - 1)
    return old + 1, new + 1


def _after(hunks: Sequence[Hunk], sources: Sources) -> Gap | None:
    last = hunks[-1].lines
    old = max((line.old for line in last if line.old is not None), default=0) + 1
    new = max((line.new for line in last if line.new is not None), default=0) + 1
    if sources.new is None:
        return Gap(old, new, None)
    there = len(sources.new) - (not any(text for text, _ in sources.new[-1]) if sources.new else 0)
    return Gap(old, new, there - new + 1) if there >= new else None


def _lines(body: Sequence[PatchLine], sources: Sources) -> Iterator[Line]:
    words = _changed(body)
    for at, line in enumerate(body):
        code = marked(sources.pieces(line), words.get(at, ()))
        yield Line(line.old, line.new, code, line in sources.unended)


def _changed(body: Sequence[PatchLine]) -> Mapping[int, Sequence[tuple[int, int]]]:
    """The changed words of each line that stands against another one, by its place in the hunk."""
    found: dict[int, Sequence[tuple[int, int]]] = {}
    for went, came in _runs(body):
        left = list(came) if len(went) * len(came) <= _MOST_COMPARED else []
        for old in went:
            for place, new in enumerate(left):
                before, after = changed_words(plain(body[old].text[1:]), plain(body[new].text[1:]))
                if before or after:
                    found |= {old: before, new: after}
                    del left[: place + 1]
                    break
    return found


def _runs(body: Sequence[PatchLine]) -> Iterator[tuple[list[int], list[int]]]:
    """The places of lines that went and that came, run by run."""
    went, came = list[int](), list[int]()
    for at, line in enumerate(body):
        if line.new is None and not came:
            went.append(at)
        elif line.old is None:
            came.append(at)
        else:
            yield went, came
            went, came = ([at] if line.new is None else []), []
    yield went, came


def _pairs(lines: Sequence[Line]) -> Iterator[tuple[Line | None, Line | None]]:
    went, came = list[Line](), list[Line]()
    for line in lines:
        if line.kind == "same" or (line.kind == "del" and came):
            yield from zip_longest(went, came)
            went, came = [], []
        if line.kind == "same":
            yield line, line
        elif line.kind == "del":
            went.append(line)
        else:
            came.append(line)
    yield from zip_longest(went, came)
