"""What a command says: the answer on stdout, narration on stderr, one JSON document with `--json`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, TextIO

from conductor_git.environment import variable
from conductor_git.errors import ConductorError
from conductor_git.names import is_text

SCHEMA: Final = 1
STATE_COLOURS: Final[Mapping[str, str]] = {
    "ASSIGNED": "0",
    "WORKING": "36",
    "IN_REVIEW": "33",
    "APPROVED": "32",
    "COMPLETED": "1;32",
    "FAILED": "31",
    "CANCELLED": "2",
}
"""The colours of the states of a task; no import of their enumeration is worth a name here."""
_LOG_LINES: Final = 20
"""How much of a failed gate's log stands below the error; the whole is in the file that `show` names."""
_NARROWEST: Final = 12
"""The characters that a column keeps, however little room there is."""
_COLOURS: Final = {"✓": "32", "◎": "36", "○": "34", "▲": "33", "✗": "31", "↳": "2"}


def document(**content: Any) -> None:
    """Print one JSON document, with the schema number first."""
    import json

    answer = {"schema": SCHEMA, **content}
    text = json.dumps(answer, ensure_ascii=False, default=str)
    # A file name need not be text. JSON has an escape for the bytes that are none, and standard output has not.
    print(text if is_text(text) else json.dumps(answer, default=str))


def say(text: str) -> None:
    """Print the answer for people or pipes; what a terminal would obey in it is taken out on a terminal."""
    print(printable(text) if sys.stdout.isatty() else text)


def answer(text: str) -> None:
    """The answer of a command that narrates it as well: for pipes and files. A person at a terminal reads it once."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        say(text)


def narrate(symbol: str, text: str) -> None:
    """One line of narration: ✓ done, ◎ doing, ○ info, ▲ warning, ✗ error, ↳ hint."""
    print(f"{coloured(symbol, _COLOURS[symbol], sys.stderr)} {printable(text)}", file=sys.stderr)


def symbol_colour(symbol: str) -> str | None:
    """The colour of a narration symbol; None for any other text."""
    return _COLOURS.get(symbol)


def in_colour(stream: TextIO) -> bool:
    """Whether what goes to `stream` may hold colours: a terminal that has them, and a person who did not say no."""
    return stream.isatty() and variable("NO_COLOR") is None and variable("TERM") != "dumb"


def coloured(text: str, code: str, stream: TextIO) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if in_colour(stream) else text


def printable(text: str) -> str:
    """`text` without the control characters that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def report(refused: ConductorError, *, as_json: bool) -> int:
    """Tell a refusal and return its exit code."""
    if as_json:
        document(error=refused.document())
        return refused.exit_code
    narrate("✗", refused.message)
    for line in str(refused.facts.get("log_end", "")).splitlines()[-_LOG_LINES:]:
        print(f"    {printable(line)}", file=sys.stderr)
    if refused.hint:
        narrate("↳", refused.hint)
    return refused.exit_code


def hush() -> int:
    """The reader of our output went away: end quietly, as `git` does."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def columns(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """A table as text, columns two spaces apart; columns that are blank in every row are left out.

    With a `width`, the widest columns give way first, so that those behind them are still seen.
    """
    kept = [number for number, _ in enumerate(header) if any(row[number] for row in rows)]
    cells = [[row[number] for number in kept] for row in (header, *rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(kept))]
    if width is not None:
        widths = _narrowed(widths, width - 2 * (len(widths) - 1))
    lines = ("  ".join(_cut(cell, wide).ljust(wide) for cell, wide in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO) -> str:
    """`columns`, within the width of the terminal that `stream` is."""
    if not stream.isatty():
        return columns(header, rows)
    import shutil

    width = shutil.get_terminal_size().columns
    return "\n".join(_cut(line, width) for line in columns(header, rows, width).split("\n"))


def _narrowed(widths: Sequence[int], room: int) -> list[int]:
    found = [min(wide, max(room, _NARROWEST)) for wide in widths]
    while sum(found) > room and max(found) > _NARROWEST:
        found[found.index(max(found))] -= 1
    return found


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def page(text: str) -> None:
    """Show a long text through the user's pager, colours kept."""
    import pydoc

    pydoc.pager(text)


def took(seconds: float) -> str:
    """How long something took, for people."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def plain(values: Mapping[str, str | None]) -> str:
    """Facts of one thing as aligned lines, those without a value left out."""
    known = {name: value for name, value in values.items() if value}
    width = max(map(len, known), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in known.items())
