"""A patch as `git diff` prints it, line by line: which line of which file each one is (no I/O)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[mK]")
_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_ESCAPED: Final = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES: Final = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was printed, colours included. `old` and `new` are the numbers that it has in the file before
    and after, None where it is not in that file (and both for a header)."""

    text: str
    old: int | None = None
    new: int | None = None


@dataclass(slots=True)
class Part:
    """What the patch says of one file. A path is None where there is no file on that side."""

    old_path: str | None = None
    new_path: str | None = None
    lines: list[Line] = field(default_factory=list)


def parts(text: str) -> Iterator[Part]:
    """The parts of a patch of two trees (`a/` and `b/` before the paths, as git has it by default), in order.

    Joined with newlines their lines are `text` again. What stands before the first file is in no part.
    """
    part: Part | None = None
    hunk = _Hunk()
    for line in text.removesuffix("\n").split("\n"):
        bare = _COLOURS.sub("", line)
        if not hunk.is_open and bare.startswith("diff --git "):
            if part is not None:
                yield part
            part = Part(*_named(bare.removeprefix("diff --git ")))
        if part is None:
            continue
        old, new = hunk.place(bare) if hunk.is_open else (None, None)
        if old is None and new is None:
            hunk = _opened(bare) or hunk
            _learn(part, bare)
        part.lines.append(Line(line, old, new))
    if part is not None:
        yield part


@dataclass(slots=True)
class _Hunk:
    """Where we are in the two files, and how many lines of each are still to come."""

    old: int = 0
    old_left: int = 0
    new: int = 0
    new_left: int = 0

    @property
    def is_open(self) -> bool:
        return self.old_left > 0 or self.new_left > 0

    def place(self, bare: str) -> tuple[int | None, int | None]:
        """The numbers of a line in the hunk: both for context, which may be empty, one for what came or went."""
        mark = bare[:1]
        if mark == "\\":
            return None, None  # "\ No newline at end of file"
        old = self._take_old() if mark != "+" else None
        new = self._take_new() if mark != "-" else None
        return old, new

    def _take_old(self) -> int:
        self.old, self.old_left = self.old + 1, self.old_left - 1
        return self.old - 1

    def _take_new(self) -> int:
        self.new, self.new_left = self.new + 1, self.new_left - 1
        return self.new - 1


def _opened(bare: str) -> _Hunk | None:
    found = _HUNK.match(bare)
    if found is None:
        return None
    old, old_count, new, new_count = (1 if number is None else int(number) for number in found.groups())
    return _Hunk(old, old_count, new, new_count)


def _learn(part: Part, bare: str) -> None:
    """What a line outside the hunks says about the paths."""
    word, _, rest = bare.partition(" ")
    match word:
        case "---":
            part.old_path = _side(rest)
        case "+++":
            part.new_path = _side(rest)
        case "rename" | "copy" if rest.startswith("from "):
            part.old_path = _plain(rest.removeprefix("from "))
        case "rename" | "copy" if rest.startswith("to "):
            part.new_path = _plain(rest.removeprefix("to "))
        case "new" if rest.startswith("file mode "):
            part.old_path = None
        case "deleted":
            part.new_path = None


def _named(both: str) -> tuple[str | None, str | None]:
    """The two paths of `a/PATH b/PATH` where they are one; where they differ, lines that follow say them."""
    if both.startswith('"'):
        quoted = _QUOTED.findall(both)
        return (_side(quoted[0]), _side(quoted[1])) if len(quoted) == 2 else (None, None)
    half = (len(both) - 1) // 2
    one, other = both[:half], both[half + 1 :]
    return (one[2:], other[2:]) if one[2:] == other[2:] else (None, None)


def _side(text: str) -> str | None:
    path = _plain(text.removesuffix("\t"))  # git puts a tab behind a path with spaces
    return None if path == "/dev/null" else path[2:]


def _plain(text: str) -> str:
    """A path as it is, without the quotation that git gives one with bytes out of the ordinary."""
    if not text.startswith('"'):
        return text
    data = text[1:-1].encode("utf-8", "surrogateescape")
    return _ESCAPED.sub(lambda found: _byte(found[1]), data).decode("utf-8", "surrogateescape")


def _byte(escape: bytes) -> bytes:
    return bytes([int(escape, 8)]) if len(escape) == 3 else _ESCAPES.get(escape, escape)
